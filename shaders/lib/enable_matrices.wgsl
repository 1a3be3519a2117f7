// Opens a shader that multiplies matrices of f16: the directives have to stand before all declarations.
enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
// A compiler cannot see that a thread's index divided by the subgroup's size is the same in a whole subgroup.
diagnostic(off, chromium.subgroup_matrix_uniformity);
