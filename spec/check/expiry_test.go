package check_test

import (
	"testing"
	"time"

	"portico/spec"
	"portico/spec/check"
)

// TestExpiry proves that certificates which are not valid at a time are warnings,
// each at its place, and that nothing else is said.
func TestExpiry(t *testing.T) {
	file := spec.File{Path: "/etc/myapp.pem", Bytes: []byte(certPEM)} // valid from 2026-11-23 to 2126-10-30
	s := good()
	s.TargetGroups[0].TLS = &spec.TargetTLS{CA: file, Certificate: file}
	s.TargetGroups[1].TLS = &spec.TargetTLS{CA: spec.File{Path: "/etc/broken.pem", Bytes: []byte("nothing")}}
	const early = `: "/etc/myapp.pem": the certificate of "CN=test" is valid from 2026-11-23 on; look at the clock of this machine`
	const late = `: "/etc/myapp.pem": the certificate of "CN=test" expired on 2126-10-30; renew it`
	s.Listeners[1].TLS = &spec.ListenerTLS{ClientAuth: &spec.ClientAuth{CA: file}}
	tests := []struct {
		name string
		now  time.Time
		says string
	}{
		{"before", time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), early},
		{"within", time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), ""},
		{"after", time.Date(2126, 11, 1, 0, 0, 0, 0, time.UTC), late},
	}
	places := []string{"certificates[0].files.certificate", "listeners[1].tls.clientAuth.ca", "targetGroups[0].tls.ca", "targetGroups[0].tls.certificate"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := check.Expiry(s, tt.now)
			if tt.says == "" {
				if len(got) != 0 {
					t.Errorf("problems: %v", got)
				}
				return
			}
			if len(got) != len(places) {
				t.Fatalf("problems: %v, want one at each of %v", got, places)
			}
			for i, p := range got {
				if want := "warning: " + places[i] + tt.says; p.String() != want {
					t.Errorf("%s, want %s", p, want)
				}
			}
		})
	}
}

// TestTargetTLS proves what is warned of where a group has tls and something near
// it does not know of TLS.
func TestTargetTLS(t *testing.T) {
	s := good()
	for i := range s.TargetGroups {
		s.TargetGroups[i].TLS = &spec.TargetTLS{}
		s.TargetGroups[i].Health = &spec.Health{Check: spec.Choice{Name: "http"}}
	}
	s.TargetGroups[0].Health.Check.Name = "https"
	want := map[string]string{
		"listeners[2].targetGroups[0]": `flows are passed on as they come: the tls of target group "db" is for requests and checks alone`,
		"targetGroups[1].tls":          "targets are greeted with TLS, and their health check asks in plain text",
	}
	for _, p := range check.Spec(s) {
		if want[p.Path] != p.What || p.Level != spec.Warning {
			t.Errorf("unexpected: %s", p)
		}
		delete(want, p.Path)
	}
	for path := range want {
		t.Errorf("nothing is said at %s", path)
	}
}
