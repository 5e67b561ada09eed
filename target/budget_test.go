package target_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"portico/spec"
	"portico/target"
)

// TestBudget proves how many retries there may be.
func TestBudget(t *testing.T) {
	tests := []struct {
		name     string
		limit    spec.RetryBudget
		requests []int // by second
		retries  []int // tried after each second's requests
		want     []int // allowed of them
	}{
		{"a share", spec.RetryBudget{Percent: 20}, []int{100}, []int{100}, []int{20}},
		{"a share of ten seconds", spec.RetryBudget{Percent: 20}, []int{100, 0, 0, 50}, []int{5, 5, 5, 100}, []int{5, 5, 5, 15}},
		{
			"what is older counts no more",
			spec.RetryBudget{Percent: 10},
			[]int{100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10},
			[]int{10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 5},
			[]int{10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
		},
		{"a least rate", spec.RetryBudget{PerSecond: 3}, []int{1, 0}, []int{100, 100}, []int{30, 0}},
		{"the larger of both", spec.RetryBudget{Percent: 20, PerSecond: 3}, []int{100, 100}, []int{100, 100}, []int{30, 10}},
		{"nothing", spec.RetryBudget{}, []int{1000}, []int{10}, []int{0}},
		{"everything", spec.RetryBudget{Percent: 100}, []int{10}, []int{20}, []int{10}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b target.Budget
			now := time.Unix(1_700_000_000, 0)
			for i := range tt.requests {
				for range tt.requests[i] {
					b.Request(now)
				}
				allowed := 0
				for range tt.retries[i] {
					if b.Retry(tt.limit, now) {
						allowed++
					}
				}
				if allowed != tt.want[i] {
					t.Errorf("in second %d: %d of %d retries were allowed, want %d", i, allowed, tt.retries[i], tt.want[i])
				}
				now = now.Add(time.Second)
			}
		})
	}
}

// TestBudgetProperties proves that in no window of ten seconds there are more
// retries than the limit says, also when the clock is set back.
func TestBudgetProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		limit := spec.RetryBudget{Percent: r.IntN(101), PerSecond: r.IntN(4)}
		var b target.Budget
		at := int64(1_700_000_000)
		requests, retries := map[int64]int{}, map[int64]int{}
		for range 500 {
			switch r.IntN(12) {
			case 0:
				at += int64(r.IntN(15))
			case 1:
				at++
			}
			now := time.Unix(at, int64(r.IntN(1e9)))
			if r.IntN(3) > 0 {
				b.Request(now)
				requests[at]++
				continue
			}
			asked, did := 0, 0
			for s := at - 9; s <= at; s++ {
				asked += requests[s]
				did += retries[s]
			}
			want := did < max(asked*limit.Percent/100, limit.PerSecond*10)
			if got := b.Retry(limit, now); got != want {
				t.Fatalf("%+v after %d requests and %d retries: Retry = %v", limit, asked, did, got)
			}
			if want {
				retries[at]++
			}
		}
		b.Retry(limit, time.Unix(at-100, 0)) // must not panic
	}
}
