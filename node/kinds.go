package node

import (
	"portico/dns/policy"
	"portico/l7/filter"
	"portico/spec"
	"portico/target/balance"
	"portico/target/health"
)

// Kinds gathers the tables of every extension point, for decoding a spec.
func Kinds() spec.Kinds {
	return spec.Kinds{
		"balance": balance.Kinds(),
		"check":   health.Kinds(),
		"filter":  filter.Kinds(),
		"policy":  policy.Kinds(),
	}
}
