package build

// kwokRecipe is that of the program that keeps simulated nodes alive.
func kwokRecipe() Recipe {
	return Recipe{Name: Kwok, Packages: []string{"sigs.k8s.io/kwok/cmd/kwok"}, Flags: []string{strip}, AnyOS: true}
}
