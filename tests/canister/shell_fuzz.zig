//! Feeds changed inputs to the shell's parsers: `shell_fuzz INPUTS SEED PARSER SEEDS [PROGRAM]`.
//! SEEDS holds valid inputs, each as u8 kind, u32 length, bytes; for the parsers `generate` and `run` the first one is the
//! manifest of PROGRAM. Whatever breaks a rule of Zig ends the process, as does a broken promise of the parser. Prints how many inputs there were, got past the header, and were accepted.

const std = @import("std");
const shell = @import("shell");

const input_bytes_most = 1 << 16;
const instructions_per_look = 1_000_000;

const Kind = enum(u8) { begin_upload, put_chunk, activate, generate, read_file, none, canonical, run };
const Parser = enum { candid, manifest, generate, sampling, run };
const Seed = struct { kind: Kind, bytes: []const u8 };
const Verdict = enum { refused, past_header, accepted };

pub fn main() !void {
    const allocator = std.heap.page_allocator;
    const arguments = try std.process.argsAlloc(allocator);
    const inputs = try std.fmt.parseInt(usize, arguments[1], 10);
    var prng = std.Random.DefaultPrng.init(try std.fmt.parseInt(u64, arguments[2], 10));
    const parser = std.meta.stringToEnum(Parser, arguments[3]).?;
    const seeds = try readSeeds(allocator, arguments[4]);
    shell.host.reset();
    try shell.store.open();
    const loads = parser == .generate or parser == .run;
    if (loads) try loadModel(seeds[0], try readFile(allocator, arguments[5]));
    const changed = if (loads) seeds[1..] else seeds;

    var counts = std.EnumArray(Verdict, u64).initFill(0);
    var buffer: [input_bytes_most]u8 = undefined;
    for (0..inputs) |_| {
        const seed = changed[prng.random().uintLessThan(usize, changed.len)];
        const other = changed[prng.random().uintLessThan(usize, changed.len)];
        const input = change(seed.bytes, other.bytes, &buffer, prng.random());
        counts.getPtr(try examine(parser, seed.kind, input, prng.random())).* += 1;
    }
    std.debug.print("{{\"inputs\": {}, \"past_header\": {}, \"accepted\": {}}}\n", .{
        inputs,
        counts.get(.past_header) + counts.get(.accepted),
        counts.get(.accepted),
    });
}

fn examine(parser: Parser, kind: Kind, input: []const u8, random: std.Random) !Verdict {
    return switch (parser) {
        .candid => switch (kind) {
            .begin_upload => decodeOnly(struct { shell.interface.UploadManifest }, input),
            .put_chunk => decodeOnly(struct { u32, shell.candid.Blob }, input),
            .activate => decodeOnly(struct { shell.interface.Activation }, input),
            .generate => decodeOnly(struct { shell.interface.GenerateRequest }, input),
            .read_file => decodeOnly(struct { shell.candid.Text, u64, u32 }, input),
            .none => decodeOnly(struct {}, input),
            .run => decodeOnly(struct { shell.interface.RunRequest }, input),
            .canonical => unreachable,
        },
        .manifest => if (kind == .canonical) try parseCanonical(input) else beginUpload(input),
        .generate => try generate(input, random),
        .sampling => try sample(input, random),
        .run => runGraph(input, random),
    };
}

/// Reads the arguments and everything that lies in them.
fn decodeOnly(comptime Args: type, input: []const u8) Verdict {
    var types = shell.decoding.Types{};
    const args = shell.decoding.decode(Args, input, &types) catch |err| return refusal(err);
    inline for (std.meta.fields(Args)) |field| walk(field.type, @field(args, field.name));
    return .accepted;
}

fn refusal(err: shell.decoding.Error) Verdict {
    return if (err == error.Malformed) .refused else .past_header;
}

fn walk(comptime T: type, value: T) void {
    if (T == shell.candid.Text or T == shell.candid.Blob or T == shell.candid.Nat32s) {
        for (value.bytes) |byte| std.mem.doNotOptimizeAway(byte);
    } else if (@typeInfo(T) == .@"struct") {
        if (@hasDecl(T, "Item")) {
            var items = value.iterator();
            while (items.next()) |item| walk(T.Item, item);
        } else inline for (std.meta.fields(T)) |field| walk(field.type, @field(value, field.name));
    } else if (@typeInfo(T) == .@"union") {
        switch (value) {
            inline else => |inner| walk(@TypeOf(inner), inner),
        }
    } else std.mem.doNotOptimizeAway(value);
}

/// The bytes that are kept in stable memory and read back after an upgrade.
fn parseCanonical(input: []const u8) !Verdict {
    const parsed = shell.manifest.parse(input) catch |err| return if (err == error.BadHeader) .refused else .past_header;
    var end: u64 = 0;
    for (parsed.files()) |file| {
        if (file.offset != end) return error.FilesOverlap;
        end += file.size_bytes;
    }
    if (end != parsed.size_bytes) return error.SizesDiffer;
    const last = parsed.chunkSizeBytes(parsed.chunk_count - 1);
    if (last == 0 or last > shell.manifest.chunk_size_bytes) return error.BadLastChunk;
    return .accepted;
}

/// The whole way of a manifest, into the store.
fn beginUpload(input: []const u8) Verdict {
    var types = shell.decoding.Types{};
    const args = shell.decoding.decode(struct { shell.interface.UploadManifest }, input, &types) catch |err| return refusal(err);
    return if (shell.upload.begin(&args[0]) == .ok) .accepted else .past_header;
}

/// A request to the model that is loaded, with more or less left of the message.
fn generate(input: []const u8, random: std.Random) !Verdict {
    var types = shell.decoding.Types{};
    const args = shell.decoding.decode(struct { shell.interface.GenerateRequest }, input, &types) catch |err| return refusal(err);
    shell.host.instructions = 0;
    const limits = [_]u64{ 1, 60_000_000, 100_000_000, 5_000_000_000 };
    const answer = shell.generate(&args[0], limits[random.uintLessThan(usize, limits.len)]);
    const generated = switch (answer) {
        .ok => |ok| ok,
        .err => return .past_header,
    };
    const model = &shell.activation.answering().?.model;
    if (generated.length > model.context_length_max) return error.ContextOverrun;
    if (generated.tokens.len > generated.length or generated.tokens.len > args[0].max_tokens) return error.TooManyTokens;
    for (generated.tokens) |token| if (token >= model.vocabulary_size) return error.NoSuchToken;
    return .accepted;
}

var output_bytes: [shell.manifest.chunk_size_bytes]u8 = undefined;

/// A request to the graph that is loaded, with more or less left of the message, until it is done or refused.
fn runGraph(input: []const u8, random: std.Random) Verdict {
    var types = shell.decoding.Types{};
    const args = shell.decoding.decode(struct { shell.interface.RunRequest }, input, &types) catch |err| return refusal(err);
    const limits = [_]u64{ 1, 60_000_000, 100_000_000, 5_000_000_000 };
    for (0..4) |_| {
        shell.host.instructions = 0;
        switch (shell.run(&args[0], limits[random.uintLessThan(usize, limits.len)], &output_bytes)) {
            .ok => return .accepted,
            .more => {},
            .err => return .past_header,
        }
    }
    return .accepted;
}

const vocabulary_most = 512;
var scratch_bytes: [shell.sampling.Scratch.sizeBytes(vocabulary_most)]u8 align(8) = undefined;

/// Takes parameters and logits as the bytes give them, NaN and infinities among them.
fn sample(input: []const u8, random: std.Random) !Verdict {
    const parameters_bytes = 28;
    if (input.len < parameters_bytes + 4) return .refused;
    const choice = shell.sampling.Sampling{
        .temperature = number(input, 0),
        .top_p = number(input, 4),
        .min_p = number(input, 8),
        .repetition_penalty = number(input, 12),
        .top_k = std.mem.readInt(u32, input[16..20], .little),
        .seed = std.mem.readInt(u64, input[20..28], .little),
    };
    if (choice.fault() != null) return .past_header;
    var logits: [vocabulary_most]f32 = undefined;
    const count = @min(vocabulary_most, (input.len - parameters_bytes) / 4);
    for (logits[0..count], 0..) |*logit, i| logit.* = number(input, parameters_bytes + 4 * i);
    var context: [64]u32 = undefined;
    for (&context) |*token| token.* = random.uintLessThan(u32, vocabulary_most);
    const length = random.uintAtMost(usize, context.len);
    const scratch = shell.sampling.Scratch.in(&scratch_bytes, count);
    const token = shell.sampling.sample(logits[0..count], context[0..length], choice, scratch);
    return if (token < count) .accepted else error.NoSuchToken;
}

fn number(input: []const u8, at: usize) f32 {
    return @bitCast(std.mem.readInt(u32, input[at..][0..4], .little));
}

/// `bytes` with up to four changes, or once in a while as they are.
fn change(bytes: []const u8, other: []const u8, buffer: *[input_bytes_most]u8, random: std.Random) []u8 {
    @memcpy(buffer[0..bytes.len], bytes);
    var length = bytes.len;
    for (0..random.uintLessThan(usize, 5)) |_| {
        if (length == 0) break;
        const at = random.uintLessThan(usize, length);
        switch (random.uintLessThan(u8, 16)) {
            0...3 => buffer[at] ^= @as(u8, 1) << random.int(u3),
            4, 5 => buffer[at] = random.int(u8),
            6...8 => buffer[at] = choose(u8, &.{ 0, 1, 0x7f, 0x80, 0xff, 0x68, 0x6b, 0x6c, 0x6d, 0x6e, 0x71, 0x78, 0x79 }, random),
            9...12 => replaceWord(buffer[at..length], random),
            13 => length = at,
            14 => length = repeat(buffer, length, at, random),
            else => length = splice(buffer, at, other, random),
        }
    }
    return buffer[0..length];
}

/// Another number of four bytes: lengths that parsers get wrong, floats that are none.
fn replaceWord(bytes: []u8, random: std.Random) void {
    if (bytes.len < 4) return;
    const old = std.mem.readInt(u32, bytes[0..4], .little);
    const word = choose(u32, &.{
        0,           1,           0xffff_ffff, 0x8000_0000, 0x7fff_ffff, 0x7fc0_0000, 0x7f80_0000,     0xff80_0000,
        0x3f80_0000, 0x0000_0001, old +% 1,    old -% 1,    old *% 2,    old / 2,     random.int(u32), 0x8080_8080,
    }, random);
    std.mem.writeInt(u32, bytes[0..4], word, .little);
}

/// Puts a piece of the input in twice.
fn repeat(buffer: *[input_bytes_most]u8, length: usize, at: usize, random: std.Random) usize {
    const count = @min(random.uintLessThan(usize, 64), length - at, buffer.len - length);
    std.mem.copyBackwards(u8, buffer[at + count .. length + count], buffer[at..length]);
    return length + count;
}

/// Goes on with the end of another input.
fn splice(buffer: *[input_bytes_most]u8, at: usize, other: []const u8, random: std.Random) usize {
    const tail = other[random.uintAtMost(usize, other.len)..];
    const count = @min(tail.len, buffer.len - at);
    @memcpy(buffer[at..][0..count], tail[0..count]);
    return at + count;
}

fn choose(comptime T: type, choices: []const T, random: std.Random) T {
    return choices[random.uintLessThan(usize, choices.len)];
}

fn loadModel(described: Seed, program: []const u8) !void {
    shell.host.instructions_per_look = instructions_per_look;
    if (beginUpload(described.bytes) != .accepted) return error.BadManifest;
    if (shell.upload.put(0, program) != .ok) return error.BadChunk;
    const hash = shell.store.slots[shell.store.staging.?].hash;
    while (true) {
        shell.host.instructions = 0;
        const answer = shell.activation.activate(.{ .hash = .{ .bytes = &hash }, .unload_first = false });
        if (answer != .ok) return error.BadProgram;
        if (answer.ok.done) return;
    }
}

fn readSeeds(allocator: std.mem.Allocator, path: []const u8) ![]const Seed {
    var rest: []const u8 = try readFile(allocator, path);
    var seeds: std.ArrayList(Seed) = .empty;
    while (rest.len > 0) {
        const length = std.mem.readInt(u32, rest[1..5], .little);
        try seeds.append(allocator, .{ .kind = @enumFromInt(rest[0]), .bytes = rest[5..][0..length] });
        rest = rest[5 + length ..];
    }
    return seeds.items;
}

fn readFile(allocator: std.mem.Allocator, path: []const u8) ![]u8 {
    return std.fs.cwd().readFileAlloc(allocator, path, 1 << 24);
}
