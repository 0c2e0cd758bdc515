# What one does with Helix. Each target is a script that also runs alone.

.DEFAULT_GOAL := help

.PHONY: help run dev up down build test test-compose test-k8s lint bench check fuzz fmt clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

run: ## build the page and the edge, and start it; HELIX_REDIS_URL says which Redis, without it nothing is kept
	@scripts/run

dev: ## the page with hot reload, in front of a local edge
	@scripts/dev

up: ## Helix in containers: three edges behind a balancer, at http://localhost:8080 (HELIX_PORT)
	@scripts/up

down: ## end what `make up` started; the flows stay in their volume
	@scripts/down

build: ## build the page, bin/helix and bin/bench
	@scripts/build

test: ## install what is needed, then run every check and every test
	@scripts/test

test-compose: ## start the containers apart, break them while official clients write, find nothing lost
	@scripts/test-compose

test-k8s: ## apply the local overlay to the cluster of KUBECONFIG, replace, kill and restart pods while official clients write, find nothing lost
	@scripts/test-k8s

lint: ## formatting, vet, linters
	@scripts/lint

bench: ## measure: Go benchmarks, and Helix beside a bare WebSocket server under load
	@scripts/bench

check: ## 20 minutes of faults on a cluster: nothing acknowledged may be lost, doubled or reordered
	@scripts/check

fuzz: ## each fuzz target for some seconds (FUZZTIME=10s)
	@scripts/fuzz

fmt: ## format the code
	@gofmt -w k8s services shared

clean: ## remove what was built
	@rm -rf bin .tools services/web/node_modules services/edge/internal/api/page/*
