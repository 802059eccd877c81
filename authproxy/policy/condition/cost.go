package condition

import (
	"strings"

	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
)

// sizes bounds what the values of an expression can be as large as, and what its functions
// cost.
type sizes struct{}

// The bounds, in characters or members. What calls have beyond them is refused before a rule is
// asked.
const (
	maxWord      = 512     // names, ids, addresses
	maxGroups    = 64      // groups of one user that rules can name
	maxArguments = 1 << 20 // bytes of a call's arguments, all together
)

// askCost is that of asking a call what it reaches, or a calendar.
const askCost = 100

// EstimateSize implements [cost.Estimator].
func (sizes) EstimateSize(element cost.AstNode) *cost.SizeEstimate {
	path := element.Path()
	if len(path) == 0 {
		return nil
	}
	switch name := strings.Join(path, "."); {
	case path[0] == nameArguments:
		return &cost.SizeEstimate{Max: maxArguments}
	case name == nameGroups:
		return &cost.SizeEstimate{Max: maxGroups}
	default:
		return &cost.SizeEstimate{Max: maxWord}
	}
}

// EstimateCallCost implements [cost.Estimator].
func (sizes) EstimateCallCost(function, _ string, _ *cost.AstNode, args []cost.AstNode) *cost.CallEstimate {
	switch function {
	case operators.In: // in a list within the arguments, or for a name in an object
		if len(args) == 2 && len(args[1].Path()) > 1 && args[1].Path()[0] == nameArguments {
			return cost.NewCallEstimate(cost.FixedCostEstimate(maxValues), nil)
		}
	case "reaches", "field", "during", "in_network", nameInZone:
		return cost.NewCallEstimate(cost.FixedCostEstimate(askCost), nil)
	}
	return nil
}
