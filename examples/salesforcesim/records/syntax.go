package records

// queryNode is a parsed SELECT, not yet compared with the objects of the org.
type queryNode struct {
	text     string // the whole statement, for errors
	count    bool   // SELECT COUNT()
	selects  []selectNode
	from     queryToken
	alias    string
	aliases  []aliasNode
	scope    string // USING SCOPE, in lower case; "": everything
	where    conditionNode
	category []categoryNode // WITH DATA CATEGORY
	groups   []exprNode
	grouping string // "", ROLLUP or CUBE
	having   conditionNode
	order    []orderNode
	limit    int // -1: none
	offset   int
	seen     seenClauses
	allRows  bool // ALL ROWS: those in the Recycle Bin too
	searched bool // it is an object of a search
}

// seenClauses say what a query notes of the records that it answers with.
type seenClauses struct {
	view, reference, viewStat bool // FOR VIEW, FOR REFERENCE, UPDATE VIEWSTAT
}

// aliasNode is a name for a parent relationship: FROM Contact c, c.Account a.
type aliasNode struct {
	path pathNode
	name string
}

// selectNode is one element of a SELECT list; one of the first four is set.
type selectNode struct {
	expr   *exprNode
	sub    *queryNode // a child query in parentheses
	fields *queryToken
	typeOf *typeOfNode
	alias  *queryToken // of expr
}

// typeOfNode is TYPEOF What WHEN Account THEN Phone ELSE Name END.
type typeOfNode struct {
	rel   queryToken
	whens []whenNode
	other []pathNode // ELSE; nil: none
}

type whenNode struct {
	object queryToken
	fields []pathNode
}

// exprNode is a field, a function of expressions, or a literal argument of one.
type exprNode struct {
	at      int
	path    pathNode
	fn      string // in capitals; "": a field or a literal
	args    []exprNode
	literal *queryToken
}

// pathNode is a field name with the relationships before it: Account.Owner.Name.
type pathNode []queryToken

type orderNode struct {
	expr       exprNode
	descending bool
	nullsLast  bool
}

// categoryNode is one condition of WITH DATA CATEGORY.
type categoryNode struct {
	group      string
	op         string // AT, ABOVE, BELOW or ABOVE_OR_BELOW
	categories []string
}

// conditionNode is one of *logicNode, *notNode and *compareNode.
type conditionNode interface {
	// bind compares the condition with the object and returns the test of a record or a group.
	bind(b *binder) (test, *Error)
}

type logicNode struct {
	and   bool
	terms []conditionNode
}

type notNode struct{ term conditionNode }

type compareNode struct {
	left   exprNode
	op     string // = != < <= > >= like in, not in, includes, excludes
	opAt   queryToken
	values []queryToken
	count  int        // n of a date word like LAST_N_DAYS:n
	sub    *queryNode // of IN (SELECT …)
}
