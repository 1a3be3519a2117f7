// Opens a shader whose T is f16: the directive has to stand before all declarations.
enable f16;
