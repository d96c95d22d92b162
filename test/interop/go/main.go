// Opens lines, each a record's value or an output of `claimseal seal`: go run . KEYS AUDIENCE < events.ndjson
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/lestrrat-go/jwx/v3/jwk"
)

func main() {
	keys, err := jwk.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	lines, status := bufio.NewScanner(os.Stdin), 0
	lines.Buffer(nil, 16<<20) // the longest line
	for number := 1; lines.Scan(); number++ {
		value := lines.Text()
		var record map[string]any
		if json.Unmarshal(lines.Bytes(), &record) == nil && record["sealed"] == nil {
			value, _ = record["value"].(string)
		}
		if view, err := open(value, keys, os.Args[2]); err == nil {
			fmt.Println(strings.TrimSpace(string(view))) // spaces fill it up
		} else {
			fmt.Fprintln(os.Stderr, number, "refused")
			status = 1
		}
	}
	os.Exit(status)
}
