package cors_test

import (
	"testing"

	"portico/l7/cors"
)

// An origin is one of a set by its whole name, a star for labels, or an expression.
func TestHas(t *testing.T) {
	list := []cors.Origin{
		{Name: "https://app.example.com"},
		{Name: "HTTP://localhost:3000"},
		{Name: "https://*.shop.test"},
		{Name: "https://*.dev.test:8443"},
		{Regex: "https://pr-[0-9]+[.]example[.]com"},
	}
	o, err := cors.New(list)
	if err != nil {
		t.Fatal(err)
	}
	for origin, want := range map[string]bool{
		"https://app.example.com":             true,
		"http://app.example.com":              false,
		"https://app.example.com:8443":        false,
		"https://app.example.com.evil.test":   false,
		"https://evil.test/app.example.com":   false,
		"http://localhost:3000":               true,
		"https://a.shop.test":                 true,
		"https://a.b.shop.test":               true,
		"https://shop.test":                   false,
		"https://.shop.test":                  false,
		"https://evilshop.test":               false,
		"https://evil.test/.shop.test":        false,
		"https://evil.test:1.shop.test":       false,
		"https://user@.shop.test":             false,
		"https://a.dev.test:8443":             true,
		"https://a.dev.test":                  false,
		"https://pr-17.example.com":           true,
		"https://pr-17.example.com.evil.test": false,
		"https://prx17.example.com":           false,
		"null":                                false,
		"":                                    false,
	} {
		if got := o.Has([]byte(origin)); got != want {
			t.Errorf("Has(%q) = %v, want %v", origin, got, want)
		}
	}
	if o.Any() {
		t.Error("Any without a star alone")
	}
}

// A star alone is every origin.
func TestAny(t *testing.T) {
	o, err := cors.New([]cors.Origin{{Name: "*"}})
	if err != nil || !o.Any() || !o.Has([]byte("null")) {
		t.Errorf("New = %+v, %v", o, err)
	}
}

// What no browser sends is refused.
func TestNewRefuses(t *testing.T) {
	for name, want := range map[string]string{
		"app.example.com":         `"app.example.com" is not an origin; write one such as https://app.example.com`,
		"https://":                `"https://" is not an origin; write one such as https://app.example.com`,
		"https://a.test/":         `"https://a.test/" is more than an origin; leave out what follows the host`,
		"https://a.test?x":        `"https://a.test?x" is more than an origin; leave out what follows the host`,
		"https://u@a.test":        `"https://u@a.test" is not an origin; write one such as https://app.example.com`,
		"https://a.test:443":      `"https://a.test:443" has the usual port, which no browser sends; leave it out`,
		"https://a.*.test":        `"https://a.*.test" has a star that stands for no name; write one such as https://*.example.com, or use regex`,
		"https://*.*.test":        `"https://*.*.test" has a star that stands for no name; write one such as https://*.example.com, or use regex`,
		"https://*":               `"https://*" has a star that stands for no name; write one such as https://*.example.com, or use regex`,
		"null":                    `null is the origin of any page in a sandbox; leave it out`,
		"https://[::1]:3000":      "",
		"capacitor://localhost":   "",
		"chrome-extension://abcd": "",
	} {
		_, err := cors.New([]cors.Origin{{Name: name}})
		switch {
		case err == nil && want != "", err != nil && err.Error() != want:
			t.Errorf("New(%q) = %v, want %s", name, err, want)
		}
	}
	if _, err := cors.New([]cors.Origin{{Regex: "("}}); err == nil {
		t.Error("a regular expression that is none is taken")
	}
}
