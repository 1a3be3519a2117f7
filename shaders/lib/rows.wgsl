// Mapping of kernels whose lanes are channels: lane x of a workgroup is a channel (or four), and walks over a chunk of
// consecutive rows (pixels). Needs uniforms channels, rows, chunkRows. The grid is made by channelGrid (launch.ts).
const LANES: u32 = 8u;
const ROWS: u32 = 1u;

fn lane_channel(group: vec3u, local: vec3u) -> u32 {
  return group.x * LANES + local.x;
}

fn lane_chunk(group: vec3u, groups: vec3u, local: vec3u) -> u32 {
  return (group.y + group.z * groups.y) * ROWS + local.y;
}

fn chunk_begin(chunk: u32) -> u32 {
  return min(chunk * parameters.chunkRows, parameters.rows);
}

fn chunk_end(chunk: u32) -> u32 {
  return min(chunk_begin(chunk) + parameters.chunkRows, parameters.rows);
}
