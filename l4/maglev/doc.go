// Package maglev makes the tables that flows are placed by, and says when they
// may change without harm to the flows that are there.
//
// What comes in: who takes flows, as a Generation, and the generation before it;
// then, step by step, who should take them from now on, who died, and the time.
//
// What goes out: a Table of slots, each with its owner and, where that changed,
// the owner before: the target to ask second when the first knows nothing of a
// flow. And from Step the next generation, or until when it must wait, or how
// many slots a change that could not wait puts at risk.
//
// It never reads a clock, looks at health or opens anything: the same
// generations make the same table on every node, whatever the order of members.
//
// Start reading at Build, then Step. The algorithm that fills a table is maglev of
// package balance; there is no other in the product.
package maglev
