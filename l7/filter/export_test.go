package filter

// ChainOf makes a chain of filters that no table lists.
func ChainOf(filters ...Filter) *Chain { return &Chain{filters: filters, changesResponses: true} }
