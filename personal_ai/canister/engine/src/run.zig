//! Running a graph over several messages: named tensors in, named tensors out. The same request again goes on where the
//! last message stopped, and once it is done gets the same answer; another request takes its place.
//! docs/formats/canister.md says what client and canister rely on.

const std = @import("std");
const activation = @import("activation.zig");
const budget = @import("budget.zig");
const candid = @import("candid.zig");
const engine = @import("engine/engine.zig");
const format = @import("engine/format.zig");
const ic0 = @import("ic0.zig");
const interface = @import("interface.zig");
const sha256 = @import("sha256.zig");
const store = @import("store.zig");
const Instance = @import("instance.zig").Instance;

const Request = interface.RunRequest;
const Result = interface.RunResult;
const RunError = interface.RunError;
const graph = engine.graph;

const ports_most = 64;
/// What a tile of rows should cost at most, as foretold, so that a message can stop near what is wanted.
const tile_instructions = 100_000_000;

/// How far a request is. The arena holds what has been computed.
pub const Progress = struct {
    request_hash: sha256.Digest,
    symbols: engine.Symbols,
    cursor: graph.Cursor = .{},
};

/// Outputs of the reply that is being made.
var outputs: [ports_most]interface.OutputTensor = undefined;
var shapes: [ports_most][format.rank_max]u32 = undefined;

/// Answers one request in a message that may use `limit` instructions; `room` is for the outputs' numbers.
pub fn run(request: *const Request, limit: u64, room: []u8) Result {
    const instance = activation.answering() orelse {
        return .{ .err = if (activation.loading()) .busy else .no_model };
    };
    if (!instance.model.isGraph()) return invalid("the model writes text: generate is its method");
    if (instance.model.program.ports.len > ports_most) return limitOf("the model has more than 64 inputs and outputs");
    const request_hash = hashOf(request);
    const progress = &instance.progress;
    if (progress.* == null or !std.mem.eql(u8, &progress.*.?.request_hash, &request_hash)) {
        progress.* = null;
        if (begin(request, instance, request_hash, room.len)) |fault| return .{ .err = fault };
        store.counters.requests += 1;
    }
    const call = instance.model.graphCall(progress.*.?.symbols);
    const before = progress.*.?.cursor;
    const done = advance(instance, &call, &progress.*.?.cursor, wantedOf(request, instance, limit)) catch {
        progress.* = null;
        return invalid("an input chooses a row that the model's table does not have");
    };
    const instructions = ic0.instructionsUsed();
    store.counters.instructions += instructions;
    if (done) return .{ .ok = .{ .outputs = pack(instance, &call, room), .instructions = instructions } };
    if (std.meta.eql(before, progress.*.?.cursor)) return limitOf("one message is too short for a step of this model");
    return .{ .more = .{
        .operators_done = progress.*.?.cursor.operator,
        .operators_total = @intCast(instance.model.program.operators.len),
        .instructions = instructions,
    } };
}

const Wanted = struct { wish: u64, limit: u64 };

fn wantedOf(request: *const Request, instance: *const Instance, limit: u64) Wanted {
    // All pages that the model has may be touched for the first time in this message.
    const reserve = budget.touching(instance.unpacker.program_bytes, instance.workingBytes()) + budget.closing_reserve;
    return .{
        .wish = if (request.max_instructions == 0) limit else request.max_instructions,
        .limit = limit -| reserve,
    };
}

/// Computes tiles until the graph is done (true) or the message should end. The caller's wish gives way to a first
/// tile, the network's limit to nothing.
fn advance(instance: *Instance, call: anytype, cursor: *graph.Cursor, wanted: Wanted) graph.Error!bool {
    var progressed = false;
    while (graph.workAt(call, cursor.*)) |work| {
        var rows = rowsOf(instance, work);
        const used = ic0.instructionsUsed();
        while (rows > 1 and used + foretold(instance, work, rows) > wanted.limit) rows /= 2;
        const foretold_most = foretold(instance, work, rows);
        if (used +| foretold_most > wanted.limit) return false;
        if (progressed and used + foretold_most > wanted.wish) return false;
        try graph.step(call, cursor, rows);
        learn(instance, work.instructions(rows), ic0.instructionsUsed() - used);
        progressed = true;
    }
    return true;
}

fn rowsOf(instance: *const Instance, work: graph.Work) usize {
    const row = foretold(instance, work, 1);
    return @min(work.rows, @max(1, @as(usize, @intCast(@min(tile_instructions / row, std.math.maxInt(usize))))));
}

fn foretold(instance: *const Instance, work: graph.Work, rows: usize) u64 {
    const most = @as(f64, @floatFromInt(work.instructions(rows))) * instance.excess;
    return @intFromFloat(@min(most, 1e18));
}

/// What a tile really used raises what is foretold of others.
fn learn(instance: *Instance, foretold_instructions: u64, used: u64) void {
    const ratio = @as(f64, @floatFromInt(used)) / @as(f64, @floatFromInt(foretold_instructions));
    instance.excess = @max(instance.excess, ratio);
}

/// Takes the inputs into the arena. What is wrong with them, or null.
fn begin(request: *const Request, instance: *Instance, request_hash: sha256.Digest, room: usize) ?RunError {
    var symbols: engine.Symbols = .{ 0, 0, 0 };
    if (symbolsFault(request, instance, &symbols)) |fault| return fault;
    const call = instance.model.graphCall(symbols);
    graph.checkLengths(&call) catch return textOf("these lengths do not fit the model's shapes");
    if (outputsSizeBytes(instance, &call) > room) {
        return .{ .limit = .{ .bytes = "the outputs would be longer than a reply" } };
    }
    for (instance.model.program.ports) |*port| {
        if (port.direction != @intFromEnum(format.Direction.input)) continue;
        const given = find(request, engine.portName(port)).?;
        const view = graph.viewOf(&call, port.tensor);
        if (!sameShape(&view, given.shape)) return textOf("the shapes of the inputs do not go together");
        const source = bytesOf(given.data);
        const row_bytes = view.columns() * itemSizeBytes(instance, port);
        if (source.len != view.rowCount() * row_bytes) return textOf("an input does not hold what its shape says");
        for (0..view.rowCount()) |i| @memcpy(view.row(i)[0..row_bytes], source[i * row_bytes ..][0..row_bytes]);
    }
    instance.progress = .{ .request_hash = request_hash, .symbols = symbols };
    return null;
}

/// Finds what the symbols stand for: each where an axis is that symbol alone, times a number, plus a number.
fn symbolsFault(request: *const Request, instance: *const Instance, symbols: *engine.Symbols) ?RunError {
    const program = instance.model.program;
    var input_count: usize = 0;
    for (program.ports) |*port| {
        if (port.direction != @intFromEnum(format.Direction.input)) continue;
        input_count += 1;
        const given = find(request, engine.portName(port)) orelse return textOf("an input of the model is missing");
        const tensor = &program.tensors[port.tensor];
        const wide = tensor.element == @intFromEnum(format.Element.i64);
        if (wide != (given.data == .int64)) return textOf("an input is of the wrong type");
        if (given.shape.count() != tensor.rank) return textOf("an input has the wrong number of axes");
        for (0..tensor.rank) |axis| solve(program.dimension(tensor, axis), given.shape.at(axis), symbols);
    }
    if (request.inputs.count != input_count) return textOf("there is an input that the model does not have");
    for (symbols, program.symbolMaxima()) |*symbol, most| {
        if (symbol.* == 0 and most > 0) return textOf("a length is zero, or no input tells it");
        if (symbol.* > most) return .{ .limit = .{ .bytes = "a length is greater than the model was compiled for" } };
    }
    return null;
}

/// From constant + factor * symbol = given. What does not come out even is found when shapes are compared.
fn solve(length: format.Dimension, given: u32, symbols: *engine.Symbols) void {
    const factors = [_]u32{ length.sequence, length.past, length.third };
    var found: ?usize = null;
    for (factors, 0..) |factor, i| {
        if (factor == 0) continue;
        if (found != null) return;
        found = i;
    }
    const which = found orelse return;
    if (symbols[which] == 0) symbols[which] = (given -| length.constant) / factors[which];
}

fn find(request: *const Request, name: []const u8) ?interface.InputTensor {
    var inputs = request.inputs.iterator();
    while (inputs.next()) |input| if (std.mem.eql(u8, input.name.bytes, name)) return input;
    return null;
}

fn sameShape(view: anytype, given: candid.Nat32s) bool {
    for (view.lengths[0..view.rank], 0..) |length, axis| if (length != given.at(axis)) return false;
    return true;
}

fn bytesOf(data: interface.TensorData) []const u8 {
    return switch (data) {
        inline else => |blob| blob.bytes,
    };
}

fn itemSizeBytes(instance: *const Instance, port: *const format.Port) usize {
    const element = instance.model.program.tensors[port.tensor].element;
    return if (element == @intFromEnum(format.Element.i64)) @sizeOf(i64) else @sizeOf(f32);
}

fn outputsSizeBytes(instance: *const Instance, call: anytype) u64 {
    var total: u64 = 0;
    for (instance.model.program.ports) |*port| {
        if (port.direction != @intFromEnum(format.Direction.output)) continue;
        const view = graph.viewOf(call, port.tensor);
        total += @as(u64, view.rowCount()) * view.columns() * itemSizeBytes(instance, port);
    }
    return total;
}

/// The outputs without the padding of their rows; `begin` has seen that they fit.
fn pack(instance: *const Instance, call: anytype, room: []u8) []const interface.OutputTensor {
    var count: usize = 0;
    var at: usize = 0;
    for (instance.model.program.ports) |*port| {
        if (port.direction != @intFromEnum(format.Direction.output)) continue;
        const view = graph.viewOf(call, port.tensor);
        const row_bytes = view.columns() * itemSizeBytes(instance, port);
        const first = at;
        for (0..view.rowCount()) |i| {
            @memcpy(room[at..][0..row_bytes], view.row(i)[0..row_bytes]);
            at += row_bytes;
        }
        for (view.lengths[0..view.rank], shapes[count][0..view.rank]) |length, *target| target.* = @intCast(length);
        const wide = itemSizeBytes(instance, port) == @sizeOf(i64);
        const numbers = candid.Blob{ .bytes = room[first..at] };
        outputs[count] = .{
            .name = .{ .bytes = engine.portName(port) },
            .shape = shapes[count][0..view.rank],
            .data = if (wide) .{ .int64 = numbers } else .{ .float32 = numbers },
        };
        count += 1;
    }
    return outputs[0..count];
}

/// Names a request: all its inputs. How much of it one message computes (max_instructions) is not in it.
fn hashOf(request: *const Request) sha256.Digest {
    var hasher = sha256.Sha256{};
    var inputs = request.inputs.iterator();
    while (inputs.next()) |input| {
        hashBytes(&hasher, input.name.bytes);
        hashBytes(&hasher, input.shape.bytes);
        hashBytes(&hasher, @tagName(input.data));
        hashBytes(&hasher, bytesOf(input.data));
    }
    return hasher.final();
}

/// The length goes first, so that no two lists of fields give the same bytes.
fn hashBytes(hasher: *sha256.Sha256, bytes: []const u8) void {
    const length: u32 = @intCast(bytes.len);
    hasher.update(std.mem.asBytes(&length));
    hasher.update(bytes);
}

fn textOf(text: []const u8) RunError {
    return .{ .invalid = .{ .bytes = text } };
}

fn invalid(text: []const u8) Result {
    return .{ .err = textOf(text) };
}

fn limitOf(text: []const u8) Result {
    return .{ .err = .{ .limit = .{ .bytes = text } } };
}
