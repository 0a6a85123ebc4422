package components

import "context"

// Release is a release file, for tests that download one.
type Release = release

// DownloadToy downloads a set of these files and images.
func DownloadToy(ctx context.Context, cache Cache, d Download, files []Release, images []string) (Set, error) {
	r := recipe{name: "toy", version: "1.0.0", releases: files, images: images}
	return builder{cache: cache, recipes: []recipe{r}, options: Options{Download: &d}}.build(ctx)
}

// BuildToy builds a toy: two files and an image.
func BuildToy(ctx context.Context, cache Cache) (Set, []Release, []string, error) {
	set, err := builder{cache: cache, recipes: []recipe{toy(hello), toyImages()}}.build(ctx)
	return set, toy(hello).releases, toyImages().images, err
}
