//! Choosing the next token: the algorithm written down in personal_ai/models/sampling.py, bit for bit.

const std = @import("std");

pub const Sampling = struct {
    temperature: f32 = 0,
    top_k: u32 = 0,
    top_p: f32 = 1,
    min_p: f32 = 0,
    repetition_penalty: f32 = 1,
    seed: u64 = 0,

    /// What is wrong with the parameters; null when nothing is.
    pub fn fault(self: Sampling) ?[]const u8 {
        if (!(self.temperature >= 0 and self.temperature <= 100)) return "temperature must be in [0, 100]";
        if (!(self.top_p > 0 and self.top_p <= 1)) return "top_p must be in (0, 1]";
        if (!(self.min_p >= 0 and self.min_p <= 1)) return "min_p must be in [0, 1]";
        if (!(self.repetition_penalty >= 0.01 and self.repetition_penalty <= 100)) {
            return "repetition_penalty must be in [0.01, 100]";
        }
        return null;
    }

    /// More instructions than `sample` uses for a vocabulary of that size, whatever the logits are.
    pub fn instructionsMost(self: Sampling, vocabulary_size: u32, context_length: u32) u64 {
        const per_token: u64 = if (self.temperature == 0) 40 else 1200;
        return 10_000 + per_token * vocabulary_size + 20 * @as(u64, context_length);
    }
};

/// Working memory for one vocabulary; lies in memory of `sizeBytes`.
pub const Scratch = struct {
    values: []f32,
    weights: []f64,
    /// Kept tokens.
    ids: []u32,
    /// A second list of the same, for ordering.
    ordered: []u32,
    seen: []u8,

    const bytes_per_token = 4 + 8 + 4 + 4 + 1;

    pub fn sizeBytes(vocabulary_size: u32) u64 {
        return bytes_per_token * @as(u64, vocabulary_size);
    }

    pub fn in(bytes: []align(8) u8, vocabulary_size: usize) Scratch {
        const weights_end = 8 * vocabulary_size;
        const values_end = weights_end + 4 * vocabulary_size;
        const ids_end = values_end + 4 * vocabulary_size;
        const ordered_end = ids_end + 4 * vocabulary_size;
        return .{
            .weights = @alignCast(std.mem.bytesAsSlice(f64, bytes[0..weights_end])),
            .values = @alignCast(std.mem.bytesAsSlice(f32, bytes[weights_end..values_end])),
            .ids = @alignCast(std.mem.bytesAsSlice(u32, bytes[values_end..ids_end])),
            .ordered = @alignCast(std.mem.bytesAsSlice(u32, bytes[ids_end..ordered_end])),
            .seen = bytes[ordered_end .. ordered_end + vocabulary_size],
        };
    }
};

/// The token after `context`. `logits` and `scratch` have the vocabulary's length.
pub fn sample(logits: []const f32, context: []const u32, sampling: Sampling, scratch: Scratch) u32 {
    for (logits, scratch.values) |logit, *target| target.* = finite(logit);
    if (sampling.repetition_penalty != 1) penalise(scratch, context, sampling.repetition_penalty);
    const best = greatest(scratch.values);
    if (sampling.temperature == 0) return best;
    const kept = topK(scratch, sampling.top_k);
    weigh(scratch, kept, scratch.values[best], sampling.temperature);
    topP(scratch, kept, sampling.top_p);
    const floor: f64 = sampling.min_p;
    for (scratch.weights[0..kept.len]) |*weight| {
        if (weight.* < floor) weight.* = 0;
    }
    return draw(kept, scratch.weights[0..kept.len], uniform(sampling.seed, context.len));
}

/// Step 1, by comparisons: they cost less than Wasm's min and max. Adding zero turns -0 into 0, so that equal numbers
/// have equal order keys.
fn finite(logit: f32) f32 {
    const most = std.math.floatMax(f32);
    if (!(logit > -most)) return -most; // NaN as well
    return if (logit > most) most else logit + 0.0;
}

/// Step 2.
fn penalise(scratch: Scratch, context: []const u32, penalty: f32) void {
    @memset(scratch.seen, 0);
    for (context) |token| {
        if (token >= scratch.values.len or scratch.seen[token] != 0) continue;
        scratch.seen[token] = 1;
        const value = scratch.values[token];
        scratch.values[token] = finite(if (value > 0) value / penalty else value * penalty);
    }
}

/// Step 3: the lowest id among the greatest.
fn greatest(values: []const f32) u32 {
    var best: usize = 0;
    for (values, 0..) |value, id| {
        if (value > values[best]) best = id;
    }
    return @intCast(best);
}

/// Step 4: the ids that stay, ascending, in `scratch.ids`.
fn topK(scratch: Scratch, k: u32) []u32 {
    const values = scratch.values;
    if (k == 0 or k >= values.len) {
        for (scratch.ids, 0..) |*id, i| id.* = @intCast(i);
        return scratch.ids;
    }
    const least, var equals = kthGreatest(values, k);
    var count: usize = 0;
    for (values, 0..) |value, id| {
        const key = orderKey(value);
        if (key < least or (key == least and equals == 0)) continue;
        if (key == least) equals -= 1;
        scratch.ids[count] = @intCast(id);
        count += 1;
    }
    return scratch.ids[0..count];
}

/// The order key of the k-th greatest value, and how many equal to it belong to the k greatest: digit by digit, by
/// counting.
fn kthGreatest(values: []const f32, k: u32) struct { u32, u32 } {
    var prefix: u32 = 0;
    var wanted = k;
    inline for (.{ 24, 16, 8, 0 }) |shift| {
        var counts = [_]u32{0} ** 256;
        for (values) |value| {
            const key = orderKey(value);
            if (shift == 24 or key >> (shift + 8) == prefix >> (shift + 8)) counts[(key >> shift) & 0xff] += 1;
        }
        var digit: u32 = 255;
        while (counts[digit] < wanted) : (digit -= 1) wanted -= counts[digit];
        prefix |= digit << shift;
    }
    return .{ prefix, wanted };
}

/// Unsigned numbers in the order of the floats.
fn orderKey(value: f32) u32 {
    const bits: u32 = @bitCast(value);
    return if (bits >> 31 == 0) bits | 0x8000_0000 else ~bits;
}

/// Step 5, for the tokens kept.
fn weigh(scratch: Scratch, kept: []const u32, most: f32, temperature: f32) void {
    for (kept, scratch.weights[0..kept.len]) |id, *weight| {
        weight.* = exp((@as(f64, scratch.values[id]) - @as(f64, most)) / @as(f64, temperature));
    }
}

/// Step 6: weights outside of the nucleus become 0.
fn topP(scratch: Scratch, kept: []const u32, top_p: f32) void {
    if (top_p >= 1) return;
    const weights = scratch.weights[0..kept.len];
    var total: f64 = 0;
    for (weights) |weight| total += weight;
    const enough = @as(f64, top_p) * total;
    // `places` are indices into `kept`, as a heap whose root is the greatest value.
    const places = scratch.ordered[0..kept.len];
    for (places, 0..) |*place, i| place.* = @intCast(i);
    const order = Order{ .values = scratch.values, .kept = kept };
    var from = places.len / 2;
    while (from > 0) {
        from -= 1;
        order.sink(places, from);
    }
    var left = places.len;
    var sum: f64 = 0;
    while (left > 0) {
        left -= 1;
        std.mem.swap(u32, &places[0], &places[left]);
        order.sink(places[0..left], 0);
        sum += weights[places[left]];
        if (sum >= enough) break;
    }
    for (places[0..left]) |place| weights[place] = 0;
}

/// The greater value first, among equals the lower id.
const Order = struct {
    values: []const f32,
    kept: []const u32,

    fn before(self: Order, a: u32, b: u32) bool {
        const value_a, const value_b = .{ self.values[self.kept[a]], self.values[self.kept[b]] };
        return value_a > value_b or (value_a == value_b and a < b);
    }

    fn sink(self: Order, heap: []u32, start: usize) void {
        var at = start;
        while (2 * at + 1 < heap.len) {
            var child = 2 * at + 1;
            if (child + 1 < heap.len and self.before(heap[child + 1], heap[child])) child += 1;
            if (!self.before(heap[child], heap[at])) return;
            std.mem.swap(u32, &heap[at], &heap[child]);
            at = child;
        }
    }
};

/// Step 8.
fn draw(kept: []const u32, weights: []const f64, chance: f64) u32 {
    var total: f64 = 0;
    for (weights) |weight| total += weight;
    const threshold = chance * total;
    var sum: f64 = 0;
    for (kept, weights) |id, weight| {
        sum += weight;
        if (sum > threshold) return id;
    }
    unreachable; // chance < 1, and the sum ends at total
}

/// The random number in [0, 1) of one position.
fn uniform(seed: u64, position: u64) f64 {
    const mixed = mix(mix(seed) +% (position + 1) *% 0x9E3779B97F4A7C15);
    return @as(f64, @floatFromInt(mixed >> 11)) * 0x1p-53;
}

fn mix(number: u64) u64 {
    var z = number;
    z = (z ^ (z >> 30)) *% 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) *% 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

const log2_e: f64 = 1.4426950408889634;
const ln2_high: f64 = 0.6931471803691238;
const ln2_low: f64 = 1.9082149292705877e-10;
/// 1/13!, 1/12!, …, 1/0!
const exp_coefficients = blk: {
    var coefficients: [14]f64 = undefined;
    var factorial: f64 = 1;
    for (0..14) |n| {
        if (n > 1) factorial *= n;
        coefficients[13 - n] = 1.0 / factorial;
    }
    break :blk coefficients;
};

/// e**x for x <= 0.
fn exp(x: f64) f64 {
    if (x < -700) return 0;
    const k = @floor(x * log2_e + 0.5);
    const r = (x - k * ln2_high) - k * ln2_low;
    var p = exp_coefficients[0];
    inline for (exp_coefficients[1..]) |coefficient| p = p * r + coefficient;
    const exponent: i64 = @intFromFloat(k);
    return @bitCast(@as(u64, @bitCast(p)) +% (@as(u64, @bitCast(exponent)) << 52));
}

test "exp against std" {
    var x: f64 = 0;
    while (x > -701) : (x -= 0.37) {
        const expected = if (x < -700) 0 else @exp(x);
        try std.testing.expectApproxEqRel(expected, exp(x), 1e-15);
    }
    try std.testing.expectEqual(@as(f64, 1), exp(0));
}

test "top-k keeps the lower ids among equals" {
    var bytes: [5 * Scratch.bytes_per_token]u8 align(8) = undefined;
    const scratch = Scratch.in(&bytes, 5);
    @memcpy(scratch.values, &[5]f32{ 1, 3, -2, 3, 3 });
    try std.testing.expectEqualSlices(u32, &.{ 1, 3 }, topK(scratch, 2));
    try std.testing.expectEqualSlices(u32, &.{ 0, 1, 3, 4 }, topK(scratch, 4));
    try std.testing.expectEqualSlices(u32, &.{ 0, 1, 2, 3, 4 }, topK(scratch, 9));
}
