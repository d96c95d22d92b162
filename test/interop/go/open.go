package main

import (
	"encoding/base64"
	"encoding/json"
	"github.com/lestrrat-go/jwx/v3/jwe"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"reflect"
	"slices"
	"strings"
)

// open takes a record's value and returns the audience's view as JSON, or an error where anything is off.
func open(value string, keys jwk.Set, audience string) ([]byte, error) {
	// UseNumber: an id may be larger than a float64 holds
	parse := func(d *json.Decoder) (object map[string]any) { d.UseNumber(); _ = d.Decode(&object); return }
	clear := parse(json.NewDecoder(strings.NewReader(value)))
	sealed, _ := clear["sealed"].(string)
	text, _ := base64.RawURLEncoding.DecodeString(strings.Split(sealed, ".")[0])
	header := parse(json.NewDecoder(strings.NewReader(string(text))))
	id := []any{clear["source"], clear["id"]} // what the policy names as `source.id`
	if !slices.Contains([]any{"ECDH-ES+A256KW", "RSA-OAEP-256", "A256KW"}, header["alg"]) ||
		!slices.Contains([]any{"A256GCM", "A128GCM"}, header["enc"]) || header["zip"] != nil || header["crit"] != nil ||
		header["typ"] != "claimseal-view+jwe" || header["aud"] != audience || !reflect.DeepEqual(header["evt"], id) {
		return nil, jwe.DecryptError() // not sealed for this audience and event
	}
	return jwe.Decrypt([]byte(sealed), jwe.WithKeySet(keys)) // finds the key by its kid
}
