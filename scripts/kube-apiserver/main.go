// SPDX-License-Identifier: MIT
//
// The API server of Kubernetes, as a program of its own module, because `go install` takes no module with replace directives.
package main

import (
	"os"
	_ "time/tzdata"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() { os.Exit(cli.Run(app.NewAPIServerCommand())) }
