package main // opens lines, each a value or an output of `claimseal seal`: go run . KEYS AUDIENCE < events.ndjson

import (
	"bufio"
	"fmt"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"os"
)

func main() {
	keys, err := jwk.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	lines, status := bufio.NewScanner(os.Stdin), 0
	lines.Buffer(nil, 16<<20) // the longest line
	for number := 1; lines.Scan(); number++ {
		value, record := lines.Text(), parse(lines.Bytes())
		if record["sealed"] == nil {
			value, _ = record["value"].(string)
		}
		if view, err := open(value, keys, os.Args[2]); err == nil {
			fmt.Println(view)
		} else {
			fmt.Fprintln(os.Stderr, number, "refused")
			status = 1
		}
	}
	os.Exit(status)
}
