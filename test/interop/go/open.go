package main

import (
	"encoding/base64"
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/lestrrat-go/jwx/v3/jwe"
	"github.com/lestrrat-go/jwx/v3/jwk"
)

// open takes a record's value and returns the audience's view as JSON, or an error where anything is off.
func open(value string, keys jwk.Set, audience string) (string, error) {
	clear := parse([]byte(value))
	sealed, _ := clear["sealed"].(string)
	text, _ := base64.RawURLEncoding.DecodeString(strings.Split(sealed, ".")[0])
	header, equal := parse(text), reflect.DeepEqual
	if !slices.Contains([]any{"ECDH-ES+A256KW", "RSA-OAEP-256", "A256KW"}, header["alg"]) ||
		!slices.Contains([]any{"A256GCM", "A128GCM"}, header["enc"]) || header["zip"] != nil ||
		header["typ"] != "claimseal-view+jwe" || header["aud"] != audience {
		return "", errors.New("not sealed for this audience")
	}
	view, err := jwe.Decrypt([]byte(sealed), jwe.WithKeySet(keys)) // finds the key by its kid
	if err != nil || !equal(header["evt"], idOf(parse(view))) || !equal(header["evt"], idOf(clear)) {
		return "", errors.New("does not open, or was sealed for another event")
	}
	return strings.TrimSpace(string(view)), nil // spaces fill it up
}
