//! The engine as a Wasm module of its own: what the tests call instead of a canister.

const engine = @import("engine");

const page_size_bytes = 65536;

var model: engine.Model = undefined;

/// Fresh memory of whole pages; nothing is ever given back.
export fn allocate(size_bytes: usize) ?[*]align(64) u8 {
    const pages = (size_bytes + page_size_bytes - 1) / page_size_bytes;
    const before = @wasmMemoryGrow(0, pages);
    if (before < 0) return null;
    return @ptrFromInt(@as(usize, @intCast(before)) * page_size_bytes);
}

/// 0, or 1 and an `error_name`.
export fn open(program: [*]align(64) const u8, size_bytes: usize) u32 {
    model = engine.Model.open(program[0..size_bytes]) catch |err| return told(err);
    return 0;
}

export fn arena_size_bytes() usize {
    return model.arenaSizeBytes();
}

export fn state_size_bytes() usize {
    return model.stateSizeBytes();
}

export fn bind(arena: [*]align(64) u8, state: [*]align(64) u8) void {
    model.bind(arena[0..model.arenaSizeBytes()], state[0..model.stateSizeBytes()]);
}

export fn vocabulary_size() u32 {
    return model.vocabulary_size;
}

export fn context_length_max() u32 {
    return model.context_length_max;
}

export fn sequence_max() u32 {
    return model.sequence_max;
}

/// The logits, or 0 where the call was refused.
export fn forward(tokens: [*]const u32, count: usize, past: u32) ?[*]const f32 {
    const logits = model.forward(tokens[0..count], past) catch return null;
    return logits.ptr;
}

/// 0, or 1 and an `error_name`.
export fn absorb(tokens: [*]const u32, count: usize, past: u32) u32 {
    model.absorb(tokens[0..count], past) catch |err| return told(err);
    return 0;
}

var cursor: engine.graph.Cursor = .{};
var symbols: engine.Symbols = .{ 0, 0, 0 };

export fn is_graph() bool {
    return model.isGraph();
}

/// 0, or 1 and an `error_name`.
export fn begin(first: u32, second: u32, third: u32) u32 {
    symbols = .{ first, second, third };
    cursor = .{};
    engine.graph.checkLengths(&model.graphCall(symbols)) catch |err| return told(err);
    return 0;
}

/// Where row `index` of a tensor lies.
export fn row_address(tensor: u32, index: usize) [*]u8 {
    return engine.graph.viewOf(&model.graphCall(symbols), tensor).row(index);
}

/// One tile of at most `rows` rows. 0: there is more to do; 1: an `error_name`; 2: the graph is done.
export fn step(rows: usize) u32 {
    const call = model.graphCall(symbols);
    const work = engine.graph.workAt(&call, cursor) orelse return 2;
    foretold = @floatFromInt(work.instructions(@min(rows, work.rows)));
    code = model.program.operators[cursor.operator].code;
    engine.graph.step(&call, &cursor, @min(rows, work.rows)) catch |err| return told(err);
    return 0;
}

/// Of the last tile: what it was foretold to cost at most, and its operator.
export var foretold: f64 = 0;
export var code: u32 = 0;

/// The name of the last error, up to a zero byte.
export var error_name: [64]u8 = @splat(0);

fn told(err: anyerror) u32 {
    const name = @errorName(err);
    @memcpy(error_name[0..name.len], name);
    error_name[name.len] = 0;
    return 1;
}
