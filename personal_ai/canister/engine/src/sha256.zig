//! SHA-256 (FIPS 180-4). Rounds and message schedule are unrolled into locals: in Wasm every intermediate array
//! would cost an address and a load per use, and Zig's own implementation takes more than ten times the instructions.

const std = @import("std");

pub const Digest = [32]u8;
const block_size_bytes = 64;

const initial_state = [8]u32{
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
const round_constants = [64]u32{
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

pub fn hash(bytes: []const u8) Digest {
    var hasher = Sha256{};
    hasher.update(bytes);
    return hasher.final();
}

/// Takes its input in pieces.
pub const Sha256 = struct {
    state: [8]u32 = initial_state,
    length_bytes: u64 = 0,
    pending: [block_size_bytes]u8 = undefined,

    pub fn update(self: *Sha256, bytes: []const u8) void {
        const held: usize = @intCast(self.length_bytes % block_size_bytes);
        self.length_bytes += bytes.len;
        var rest = bytes;
        if (held > 0) {
            const taken = @min(block_size_bytes - held, rest.len);
            @memcpy(self.pending[held..][0..taken], rest[0..taken]);
            rest = rest[taken..];
            if (held + taken < block_size_bytes) return;
            compress(&self.state, &self.pending);
        }
        while (rest.len >= block_size_bytes) : (rest = rest[block_size_bytes..]) {
            compress(&self.state, rest[0..block_size_bytes]);
        }
        @memcpy(self.pending[0..rest.len], rest);
    }

    /// The digest of all that was given; the hasher is used up.
    pub fn final(self: *Sha256) Digest {
        const length_bits = self.length_bytes * 8;
        const held: usize = @intCast(self.length_bytes % block_size_bytes);
        const padding = [_]u8{0x80} ++ [_]u8{0} ** (block_size_bytes - 1);
        self.update(padding[0 .. 1 + (block_size_bytes + 55 - held) % block_size_bytes]);
        var length_bytes: [8]u8 = undefined;
        std.mem.writeInt(u64, &length_bytes, length_bits, .big);
        self.update(&length_bytes);
        var digest: Digest = undefined;
        for (self.state, 0..) |word, i| std.mem.writeInt(u32, digest[4 * i ..][0..4], word, .big);
        return digest;
    }
};

fn compress(state: *[8]u32, block: *const [block_size_bytes]u8) void {
    var w = bigEndianWords(block);
    var a, var b, var c, var d, var e, var f, var g, var h = state.*;
    inline for (0..64) |t| {
        if (t >= 16) {
            w[t % 16] +%= smallSigma1(w[(t - 2) % 16]) +% w[(t - 7) % 16] +% smallSigma0(w[(t - 15) % 16]);
        }
        const t1 = h +% bigSigma1(e) +% (g ^ (e & (f ^ g))) +% round_constants[t] +% w[t % 16];
        const t2 = bigSigma0(a) +% ((a & b) | (c & (a | b)));
        h = g;
        g = f;
        f = e;
        e = d +% t1;
        d = c;
        c = b;
        b = a;
        a = t1 +% t2;
    }
    for (state, [8]u32{ a, b, c, d, e, f, g, h }) |*word, sum| word.* +%= sum;
}

/// The block as 16 big-endian words; one byte shuffle turns four words at once.
fn bigEndianWords(block: *const [block_size_bytes]u8) [16]u32 {
    var words: [16]u32 = undefined;
    inline for (0..4) |quarter| {
        const bytes: @Vector(16, u8) = block[16 * quarter ..][0..16].*;
        const order = [16]i32{ 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12 };
        const turned: @Vector(4, u32) = @bitCast(@shuffle(u8, bytes, undefined, order));
        inline for (0..4) |i| words[4 * quarter + i] = turned[i];
    }
    return words;
}

inline fn rotateRight(x: u32, comptime bits: u5) u32 {
    return std.math.rotr(u32, x, bits);
}

inline fn bigSigma0(x: u32) u32 {
    return rotateRight(x, 2) ^ rotateRight(x, 13) ^ rotateRight(x, 22);
}

inline fn bigSigma1(x: u32) u32 {
    return rotateRight(x, 6) ^ rotateRight(x, 11) ^ rotateRight(x, 25);
}

inline fn smallSigma0(x: u32) u32 {
    return rotateRight(x, 7) ^ rotateRight(x, 18) ^ (x >> 3);
}

inline fn smallSigma1(x: u32) u32 {
    return rotateRight(x, 17) ^ rotateRight(x, 19) ^ (x >> 10);
}

fn expectDigest(comptime hex: *const [64]u8, bytes: []const u8) !void {
    var expected: Digest = undefined;
    _ = try std.fmt.hexToBytes(&expected, hex);
    try std.testing.expectEqual(expected, hash(bytes));
}

test "vectors of FIPS 180-4 and NIST's short and long messages" {
    try expectDigest("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "");
    try expectDigest("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "abc");
    try expectDigest(
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
    );
    try expectDigest(
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
        "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
    );
    const million = "a" ** 1_000_000;
    try expectDigest("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", million);
}

test "any split into pieces gives what std gives" {
    var random = std.Random.DefaultPrng.init(1);
    var bytes: [700]u8 = undefined;
    random.random().bytes(&bytes);
    for (0..bytes.len) |length| {
        var expected: Digest = undefined;
        std.crypto.hash.sha2.Sha256.hash(bytes[0..length], &expected, .{});
        var hasher = Sha256{};
        var at: usize = 0;
        while (at < length) {
            const step = @min(length - at, random.random().uintLessThan(usize, 150));
            hasher.update(bytes[at..][0..step]);
            at += step;
        }
        try std.testing.expectEqual(expected, hasher.final());
    }
}
