package records

import "slices"

// RollBack removes a record as though it had never been: the transaction that made it has failed.
func (v *View) RollBack(id string) {
	r := v.d.byID[id]
	delete(v.d.byID, id)
	v.d.rows[r.object] = slices.DeleteFunc(v.d.rows[r.object], func(x *record) bool { return x == r })
}

// AccountSummary sums up what the user may see of an account: pipeline and open cases.
func (v *View) AccountSummary(id string) (Object, *Error) {
	s, refused := v.visibleObject("Account")
	if refused != nil {
		return nil, refused
	}
	account, refused := v.d.find(s, id)
	if refused != nil {
		return nil, refused
	}
	summary := Object{{"accountId", account.id}, {"name", v.shownName(account)}}
	if open, ok := v.openChildren(account, "Opportunities"); ok {
		pipeline := 0.0
		for _, o := range open {
			if visibleField(v.u, o.object, "Amount") != nil {
				amount, _ := o.values["Amount"].(float64)
				pipeline += amount
			}
		}
		summary = append(summary, Member{"openOpportunities", len(open)}, Member{"pipeline", Double(pipeline)})
	}
	if open, ok := v.openChildren(account, "Cases"); ok {
		summary = append(summary, Member{"openCases", len(open)})
	}
	return summary, nil
}

// openChildren are the children of a record that are not closed; false means that the
// user may not see them.
func (v *View) openChildren(r *record, rel string) ([]*record, bool) {
	c, ok := r.object.child(rel)
	if !ok || !canSee(v.u, c.Object) {
		return nil, false
	}
	return slices.DeleteFunc(v.d.children(c, r.id), func(x *record) bool { return x.values["IsClosed"] == true }), true
}

// Revenue sums the amounts of the opportunities that are won and of those still open;
// false means that the user may not see them.
func (v *View) Revenue() (won, open float64, visible bool) {
	s, refused := v.visibleObject("Opportunity")
	if refused != nil || visibleField(v.u, s, "Amount") == nil {
		return 0, 0, false
	}
	for _, r := range v.d.live(s) {
		amount, _ := r.values["Amount"].(float64)
		switch {
		case r.values["IsWon"] == true:
			won += amount
		case r.values["IsClosed"] != true:
			open += amount
		}
	}
	return won, open, true
}
