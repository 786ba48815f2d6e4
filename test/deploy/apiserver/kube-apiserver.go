//go:build tools

// Package apiserver imports kube-apiserver, which apply.ts builds, so that go.mod pins its modules.
package apiserver

import _ "k8s.io/kubernetes/cmd/kube-apiserver"
