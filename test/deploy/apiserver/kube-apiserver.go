//go:build tools

// Package apiserver names what apply.ts builds: kube-apiserver, whose modules go.mod pins.
package apiserver

import _ "k8s.io/kubernetes/cmd/kube-apiserver"
