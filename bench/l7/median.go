//go:build linux

package main

import "slices"

// figure is the median of what is compared.
func figure(samples []sample) float64 {
	return median(samples, func(s sample) float64 { return s.Figure })
}

// busy is the median share of the core.
func busy(samples []sample) float64 {
	return median(samples, func(s sample) float64 { return s.Busy })
}

// median is the middle of the samples, the mean of both where there are two.
func median(samples []sample, of func(sample) float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 0 {
		return (values[middle-1] + values[middle]) / 2
	}
	return values[middle]
}

func spread(samples []sample) (lowest, highest float64) {
	for i, s := range samples {
		if i == 0 || s.Figure < lowest {
			lowest = s.Figure
		}
		if i == 0 || s.Figure > highest {
			highest = s.Figure
		}
	}
	return lowest, highest
}

func failures(samples []sample) int64 {
	var n int64
	for _, s := range samples {
		n += s.Errors
	}
	return n
}
