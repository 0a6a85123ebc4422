// The sandbox image's one program, our own; it needs nothing but Go.
module drover-lab.invalid/components/pause

go 1.26.0
