package dbtest

import "syscall"

// endsWithParent has a process that is started with attributes end with the thread that starts it.
func endsWithParent(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGQUIT }
