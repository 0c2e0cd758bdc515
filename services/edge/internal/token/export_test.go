package token

// ParseKeys reads a JWKS and says how many keys of it may verify tokens.
func ParseKeys(text []byte) (usable int, err error) {
	set, _, err := parseKeys(text)
	for _, keys := range set {
		usable += len(keys)
	}
	return usable, err
}
