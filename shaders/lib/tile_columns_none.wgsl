// Nothing is gathered of the columns of a tile (lib/gemm*.wgsl).
fn open_column(column: u32) {
}

fn gather(value: vec4f) {
}

fn close_column(thread: u32, column: u32) {
}
