package main

import (
	"encoding/json"
	"strings"
)

// parse keeps numbers as they are spelt, so that none is rounded; what is not a JSON object has no members.
func parse(text []byte) (members map[string]any) {
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	if decoder.Decode(&members) != nil || decoder.More() {
		return nil
	}
	return members
}

// idOf returns what the policy names as `source.id`; nil, which equals no evt, where a part of it is absent.
func idOf(event map[string]any) []any {
	source, id := event["source"], event["id"]
	if source == nil || id == nil {
		return nil
	}
	return []any{source, id}
}
