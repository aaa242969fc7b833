//! Choosing the next token: the algorithm written down in personal_ai/models/sampling.py, bit for bit.

const std = @import("std");

const lanes = 4;
const stride = 4 * lanes; // numbers that are looked at in one round
const block = 64; // tokens whose greatest value decides whether they are looked at
/// Depths below the greatest logit, in temperatures, down to which a nucleus is looked for.
const nucleus_depths = [_]f32{ 4, 7, 11, 16, std.math.inf(f32) };
const Pair = @Vector(2, f64);

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
        const per_token: u64 = if (self.temperature == 0) 32 else if (self.top_k == 0) 1100 else 330;
        const per_kept: u64 = if (self.temperature == 0) 0 else 1000;
        const kept: u64 = @min(self.top_k, vocabulary_size);
        return 40_000 + per_token * vocabulary_size + per_kept * kept + 40 * @as(u64, context_length);
    }
};

/// Working memory for one vocabulary; lies in memory of `sizeBytes`.
pub const Scratch = struct {
    values: []f32,
    weights: []f64,
    /// Kept tokens.
    ids: []u32,
    /// Two lists for ordering them.
    ordered: []u32,
    reordered: []u32,
    seen: []u8,

    const bytes_per_token = 8 + 4 + 4 + 4 + 4 + 1;

    pub fn sizeBytes(vocabulary_size: u32) u64 {
        return bytes_per_token * @as(u64, vocabulary_size);
    }

    pub fn in(bytes: []align(8) u8, vocabulary_size: usize) Scratch {
        var rest: []u8 = bytes;
        return .{
            .weights = take(f64, &rest, vocabulary_size),
            .values = take(f32, &rest, vocabulary_size),
            .ids = take(u32, &rest, vocabulary_size),
            .ordered = take(u32, &rest, vocabulary_size),
            .reordered = take(u32, &rest, vocabulary_size),
            .seen = take(u8, &rest, vocabulary_size),
        };
    }

    fn take(comptime T: type, rest: *[]u8, count: usize) []T {
        const size_bytes = count * @sizeOf(T);
        defer rest.* = rest.*[size_bytes..];
        return @alignCast(std.mem.bytesAsSlice(T, rest.*[0..size_bytes]));
    }
};

/// The token after `context`. `logits` and `scratch` have the vocabulary's length.
pub fn sample(logits: []const f32, context: []const u32, sampling: Sampling, scratch: Scratch) u32 {
    if (sampling.temperature == 0 and sampling.repetition_penalty == 1) return greatest(logits);
    makeFinite(logits, scratch.values);
    if (sampling.repetition_penalty != 1) penalise(scratch, context, sampling.repetition_penalty);
    const best = greatest(scratch.values);
    if (sampling.temperature == 0) return best;
    const kept = topK(scratch, sampling.top_k);
    const most = scratch.values[best];
    weigh(scratch, kept, most, sampling.temperature);
    topP(scratch, kept, most, sampling);
    minP(scratch.weights[0..kept.len], sampling.min_p);
    return draw(kept, scratch.weights[0..kept.len], uniform(sampling.seed, context.len));
}

/// Step 1.
fn makeFinite(logits: []const f32, values: []f32) void {
    @setRuntimeSafety(false);
    var at: usize = 0;
    while (at + lanes <= logits.len) : (at += lanes) {
        values[at..][0..lanes].* = finite(lanes, logits[at..][0..lanes].*);
    }
    for (logits[at..], values[at..]) |logit, *value| value.* = finite(1, .{logit})[0];
}

/// By comparisons, which cost less than Wasm's min and max. Adding zero turns -0 into 0, so that equal numbers have
/// equal order keys.
fn finite(comptime count: comptime_int, logits: @Vector(count, f32)) @Vector(count, f32) {
    const most: @Vector(count, f32) = @splat(std.math.floatMax(f32));
    const zero: @Vector(count, f32) = @splat(0);
    const not_low = @select(f32, logits > -most, logits, -most); // NaN is greater than nothing
    return @select(f32, not_low > most, most, not_low) + zero;
}

/// Step 2.
fn penalise(scratch: Scratch, context: []const u32, penalty: f32) void {
    @memset(scratch.seen, 0);
    for (context) |token| {
        if (token >= scratch.values.len or scratch.seen[token] != 0) continue;
        scratch.seen[token] = 1;
        const value = scratch.values[token];
        scratch.values[token] = finite(1, .{if (value > 0) value / penalty else value * penalty})[0];
    }
}

/// Step 3: the lowest id among the greatest, whether step 1 was taken or not. First the greatest value, then where it is.
fn greatest(values: []const f32) u32 {
    @setRuntimeSafety(false);
    const most = @min(greatestValue(values), std.math.floatMax(f32));
    if (most == -std.math.floatMax(f32)) return 0; // all are as low, or not numbers
    const wanted: @Vector(lanes, f32) = @splat(most);
    var at: usize = 0;
    while (at + stride <= values.len) : (at += stride) {
        var reaches: @Vector(lanes, bool) = @splat(false);
        inline for (0..stride / lanes) |i| {
            const next: @Vector(lanes, f32) = values[at + i * lanes ..][0..lanes].*;
            reaches = reaches | (next >= wanted);
        }
        if (@reduce(.Or, reaches)) break;
    }
    while (!(values[at] >= most)) at += 1;
    return @intCast(at);
}

/// At least the lowest finite number. NaN is greater than nothing.
fn greatestValue(values: []const f32) f32 {
    @setRuntimeSafety(false);
    var most = -std.math.floatMax(f32);
    var mosts: @Vector(lanes, f32) = @splat(most);
    var at: usize = 0;
    while (at + stride <= values.len) : (at += stride) {
        inline for (0..stride / lanes) |i| {
            const next: @Vector(lanes, f32) = values[at + i * lanes ..][0..lanes].*;
            mosts = @select(f32, next > mosts, next, mosts);
        }
    }
    inline for (0..lanes) |lane| most = if (mosts[lane] > most) mosts[lane] else most;
    for (values[at..]) |value| most = if (value > most) value else most;
    return most;
}

/// Step 4: the ids that stay, ascending, in `scratch.ids`.
fn topK(scratch: Scratch, k: u32) []u32 {
    @setRuntimeSafety(false);
    if (k == 0 or k >= scratch.values.len) {
        for (scratch.ids, 0..) |*id, i| id.* = @intCast(i);
        return scratch.ids;
    }
    const candidates = candidatesFor(scratch, k);
    const values: []f32 = @ptrCast(scratch.ordered[0..candidates.len]);
    for (candidates, values) |id, *value| value.* = scratch.values[id];
    const least, var equals = kthGreatest(values, k);
    var count: usize = 0;
    for (candidates, values) |id, value| {
        const key = orderKey(value);
        if (key < least or (key == least and equals == 0)) continue;
        if (key == least) equals -= 1;
        scratch.ids[count] = id;
        count += 1;
    }
    return scratch.ids[0..count];
}

/// Ids, ascending, of tokens that the k greatest are among: of k blocks each has a value that is at least the k-th
/// greatest of all blocks' greatest values, so no lower one is wanted. Nearly always few are left.
fn candidatesFor(scratch: Scratch, k: u32) []u32 {
    @setRuntimeSafety(false);
    const values = scratch.values;
    const mosts: []f32 = @ptrCast(scratch.reordered[0 .. (values.len + block - 1) / block]);
    for (mosts, 0..) |*most, i| most.* = greatestValue(blockOf(values, i));
    const least = if (k <= mosts.len) kthGreatest(mosts, k)[0] else 0;
    var count: usize = 0;
    for (mosts, 0..) |most, i| {
        if (orderKey(most) < least) continue;
        for (blockOf(values, i), i * block..) |value, id| {
            if (orderKey(value) < least) continue;
            scratch.ids[count] = @intCast(id);
            count += 1;
        }
    }
    return scratch.ids[0..count];
}

fn blockOf(values: []const f32, index: usize) []const f32 {
    return values[index * block .. @min(values.len, (index + 1) * block)];
}

/// The order key of the k-th greatest value, and how many equal to it belong to the k greatest: digit by digit, by
/// counting.
fn kthGreatest(values: []const f32, k: u32) struct { u32, u32 } {
    @setRuntimeSafety(false);
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

/// Step 5, for the tokens kept, two at a time.
fn weigh(scratch: Scratch, kept: []const u32, most: f32, temperature: f32) void {
    @setRuntimeSafety(false);
    const mosts: Pair = @splat(most);
    const temperatures: Pair = @splat(temperature);
    const weights = scratch.weights[0..kept.len];
    var at: usize = 0;
    while (at < kept.len) : (at += 2) {
        const second = @min(at + 1, kept.len - 1);
        const logits = Pair{ scratch.values[kept[at]], scratch.values[kept[second]] };
        const pair = exp((logits - mosts) / temperatures);
        weights[at] = pair[0];
        weights[second] = if (second > at) pair[1] else pair[0];
    }
}

/// Step 6: weights outside of the nucleus become 0. Nearly always the nucleus lies among the few tokens of some weight,
/// and only these are put in order; where it does not, more are.
fn topP(scratch: Scratch, kept: []const u32, most: f32, choice: Sampling) void {
    if (choice.top_p >= 1) return;
    const weights = scratch.weights[0..kept.len];
    var total: f64 = 0;
    for (weights) |weight| total += weight;
    const enough = @as(f64, choice.top_p) * total;
    for (nucleus_depths) |depth| {
        var sum: f64 = 0;
        for (fallingOrder(scratch, kept, most - depth * choice.temperature)) |place| {
            sum += weights[place];
            if (sum >= enough) return dropAfter(scratch, kept, place);
        }
    }
}

/// The weights of all that come after the token at `last` in falling order become 0.
fn dropAfter(scratch: Scratch, kept: []const u32, last: u32) void {
    @setRuntimeSafety(false); // ids are below the vocabulary's size, here and below
    const least = scratch.values[kept[last]];
    for (kept, scratch.weights[0..kept.len], 0..) |id, *weight, place| {
        const value = scratch.values[id];
        if (value < least or (value == least and place > last)) weight.* = 0;
    }
}

/// Indices into `kept` of the values that are at least `floor`, greatest first, among equals the lower id first: a radix
/// sort, whose cost depends on no logit.
fn fallingOrder(scratch: Scratch, kept: []const u32, floor: f32) []u32 {
    var order = placesFrom(scratch, kept, floor);
    var other = scratch.reordered[0..order.len];
    inline for (.{ 0, 8, 16, 24 }) |shift| {
        sortByDigit(shift, scratch.values, kept, order, other);
        std.mem.swap([]u32, &order, &other);
    }
    return order;
}

fn placesFrom(scratch: Scratch, kept: []const u32, floor: f32) []u32 {
    @setRuntimeSafety(false);
    var count: usize = 0;
    for (kept, 0..) |id, place| {
        if (scratch.values[id] < floor) continue;
        scratch.ordered[count] = @intCast(place);
        count += 1;
    }
    return scratch.ordered[0..count];
}

fn sortByDigit(comptime shift: u5, values: []const f32, kept: []const u32, from: []const u32, to: []u32) void {
    @setRuntimeSafety(false);
    var starts = [_]u32{0} ** 256;
    for (from) |place| starts[fallingDigit(shift, values[kept[place]])] += 1;
    var sum: u32 = 0;
    for (&starts) |*start| {
        sum += start.*;
        start.* = sum - start.*;
    }
    for (from) |place| {
        const digit = fallingDigit(shift, values[kept[place]]);
        to[starts[digit]] = place;
        starts[digit] += 1;
    }
}

fn fallingDigit(comptime shift: u5, value: f32) u8 {
    return @truncate(~orderKey(value) >> shift);
}

/// Step 7.
fn minP(weights: []f64, least: f64) void {
    if (least == 0) return;
    for (weights) |*weight| {
        if (weight.* < least) weight.* = 0;
    }
}

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
fn exp(x: Pair) Pair {
    const lowest: Pair = @splat(-700);
    const bounded = @select(f64, x < lowest, lowest, x);
    const k = @floor(bounded * @as(Pair, @splat(log2_e)) + @as(Pair, @splat(0.5)));
    const r = (bounded - k * @as(Pair, @splat(ln2_high))) - k * @as(Pair, @splat(ln2_low));
    var p: Pair = @splat(exp_coefficients[0]);
    inline for (exp_coefficients[1..]) |coefficient| p = p * r + @as(Pair, @splat(coefficient));
    // Beside 1.5 * 2^52 an integer's last bits are the double's last bits; they go to p's exponent.
    const exponents: @Vector(2, u64) = @bitCast(k + @as(Pair, @splat(0x1.8p52)));
    const scaled = @as(@Vector(2, u64), @bitCast(p)) +% (exponents << @splat(52));
    return @select(f64, x < lowest, @as(Pair, @splat(0)), @as(Pair, @bitCast(scaled)));
}

test "exp against std" {
    var x: f64 = 0;
    while (x > -701) : (x -= 0.37) {
        const expected = if (x < -700) 0 else @exp(x);
        const pair = exp(.{ x, 0 });
        try std.testing.expectApproxEqRel(expected, pair[0], 1e-15);
        try std.testing.expectEqual(@as(f64, 1), pair[1]);
    }
}

test "top-k keeps the lower ids among equals" {
    var bytes: [5 * Scratch.bytes_per_token]u8 align(8) = undefined;
    const scratch = Scratch.in(&bytes, 5);
    @memcpy(scratch.values, &[5]f32{ 1, 3, -2, 3, 3 });
    try std.testing.expectEqualSlices(u32, &.{ 1, 3 }, topK(scratch, 2));
    try std.testing.expectEqualSlices(u32, &.{ 0, 1, 3, 4 }, topK(scratch, 4));
    try std.testing.expectEqualSlices(u32, &.{ 0, 1, 2, 3, 4 }, topK(scratch, 9));
}
