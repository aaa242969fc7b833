//! Opens and runs damaged programs: `fuzz PROGRAM INPUTS SEED`. Program, arena and state each end at memory that must
//! not be touched, so that any access beyond them ends the process. Prints inputs, past the header, opened and run.

const std = @import("std");
const engine = @import("engine");

const page_size = std.heap.pageSize();
const arena_size_max = 1 << 20;
const state_size_max = 4 << 20;
const header_size = 64;
const instructions_most = 1 << 24; // of one graph: it must end, but need not end soon
const weights_offset_at = 64 + 6 * 16 + 4; // in the last section's entry

/// Memory whose last byte lies just before a page that cannot be accessed.
const Guarded = struct {
    mapping: []align(std.heap.page_size_min) u8,
    room: usize,

    fn init(size_max: usize) !Guarded {
        const room = std.mem.alignForward(usize, size_max, page_size);
        const mapping = try std.posix.mmap(
            null,
            room + 2 * page_size,
            std.posix.PROT.READ | std.posix.PROT.WRITE,
            .{ .TYPE = .PRIVATE, .ANONYMOUS = true },
            -1,
            0,
        );
        try std.posix.mprotect(mapping[0..page_size], std.posix.PROT.NONE);
        try std.posix.mprotect(@alignCast(mapping[page_size + room ..]), std.posix.PROT.NONE);
        return .{ .mapping = mapping, .room = room };
    }

    /// The last `size_bytes` of it, rounded up to the alignment that the engine wants.
    fn end(self: Guarded, size_bytes: usize) []align(64) u8 {
        const size = std.mem.alignForward(usize, size_bytes, 64);
        return @alignCast(self.mapping[page_size + self.room - size ..][0..size_bytes]);
    }
};

const Counts = struct { past_header: u64 = 0, opened: u64 = 0, run: u64 = 0 };

pub fn main() !void {
    const allocator = std.heap.page_allocator;
    const arguments = try std.process.argsAlloc(allocator);
    const original = try std.fs.cwd().readFileAlloc(allocator, arguments[1], 1 << 24);
    const inputs = try std.fmt.parseInt(u64, arguments[2], 10);
    var prng = std.Random.DefaultPrng.init(try std.fmt.parseInt(u64, arguments[3], 10));

    const program = try Guarded.init(original.len + 64);
    const arena = try Guarded.init(arena_size_max);
    const state = try Guarded.init(state_size_max);
    var counts = Counts{};
    for (0..inputs) |_| {
        const size = if (prng.random().uintLessThan(u8, 16) == 0)
            prng.random().uintAtMost(usize, original.len)
        else
            original.len;
        const bytes = program.end(size);
        @memcpy(bytes, original[0..size]);
        damage(bytes, std.mem.readInt(u32, original[weights_offset_at..][0..4], .little), prng.random());
        try runOne(bytes, arena, state, prng.random(), &counts);
    }
    std.debug.print("{{\"inputs\": {}, \"past_header\": {}, \"opened\": {}, \"run\": {}}}\n", .{
        inputs,
        counts.past_header,
        counts.opened,
        counts.run,
    });
}

/// With any values of the symbols, any inputs (what lies in the arena) and any tiles.
fn runGraph(model: *engine.Model, random: std.Random, counts: *Counts) void {
    var symbols: engine.Symbols = undefined;
    for (&symbols, model.program.symbolMaxima()) |*symbol, most| {
        symbol.* = if (most == 0) 0 else 1 + random.uintLessThan(u32, most);
    }
    const call = model.graphCall(symbols);
    engine.graph.checkLengths(&call) catch return;
    var cursor = engine.graph.Cursor{};
    var total: u64 = 0;
    while (engine.graph.workAt(&call, cursor)) |work| {
        const rows = 1 + random.uintLessThan(usize, work.rows);
        total +|= work.instructions(rows);
        if (total > instructions_most) return;
        engine.graph.step(&call, &cursor, rows) catch return;
    }
    counts.run += 1;
}

/// One to four changes, most of them in the tables, many to numbers that parsers get wrong.
fn damage(bytes: []u8, tables_size: usize, random: std.Random) void {
    if (bytes.len < header_size) return;
    for (0..1 + random.uintLessThan(usize, 4)) |_| {
        const reach = switch (random.uintLessThan(u8, 16)) {
            0 => header_size,
            1 => bytes.len,
            else => @min(bytes.len, tables_size),
        };
        const place = random.uintLessThan(usize, reach);
        switch (random.uintLessThan(u8, 4)) {
            0 => bytes[place] ^= @as(u8, 1) << random.int(u3),
            1 => bytes[place] = random.int(u8),
            else => replaceWord(bytes, place, random),
        }
    }
}

fn replaceWord(bytes: []u8, place: usize, random: std.Random) void {
    const at = place & ~@as(usize, 3);
    if (at + 4 > bytes.len) return;
    const old = std.mem.readInt(u32, bytes[at..][0..4], .little);
    const choices = [_]u32{
        0,           1,        2,        3,         4,         16,       64,        0xffff_ffff, 0x8000_0000,
        0x7fff_ffff, old +% 1, old -% 1, old +% 16, old -% 16, old *% 2, old +% 64, old / 2,     random.int(u32),
    };
    std.mem.writeInt(u32, bytes[at..][0..4], choices[random.uintLessThan(usize, choices.len)], .little);
}

fn runOne(bytes: []align(64) const u8, arena: Guarded, state: Guarded, random: std.Random, counts: *Counts) !void {
    var model = engine.Model.open(bytes) catch |err| {
        if (err != error.BadHeader and err != error.UnknownVersion) counts.past_header += 1;
        return;
    };
    counts.past_header += 1;
    counts.opened += 1;
    if (model.arenaSizeBytes() > arena_size_max or model.stateSizeBytes() > state_size_max) return;
    model.bind(arena.end(model.arenaSizeBytes()), state.end(model.stateSizeBytes()));
    if (model.isGraph()) return runGraph(&model, random, counts);
    var tokens: [64]u32 = undefined;
    for (&tokens) |*token| token.* = random.uintLessThan(u32, model.vocabulary_size);
    const count = 1 + random.uintLessThan(usize, @min(model.sequence_max, 6));
    const last = model.context_length_max - @min(count, model.context_length_max);
    const past = if (random.boolean()) last else random.uintAtMost(u32, last);
    if (model.forward(tokens[0..count], past)) |logits| {
        counts.run += 1;
        std.mem.doNotOptimizeAway(logits[logits.len - 1]);
    } else |_| {}
    for (model.endTokens()) |token| std.mem.doNotOptimizeAway(token);
}
