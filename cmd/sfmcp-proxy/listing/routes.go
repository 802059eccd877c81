package listing

// Route is a page or an act of the console.
type Route struct {
	Method string `json:"method" col:"METHOD"`
	Path   string `json:"path" col:"PATH"`
	Roles  string `json:"roles" col:"ROLES" fit:"line"`
	Does   string `json:"does" col:"WHAT IT IS FOR" fit:"line"`
}

// Routes prints the table of the console's routes.
func (p Printer) Routes(all []Route) error { return rows(p, all) }
