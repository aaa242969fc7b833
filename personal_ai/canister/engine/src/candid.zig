//! Candid in terms of Zig types. A Zig struct is a record, a tagged union a variant, `void` is null, `?T` is opt T,
//! integers, floats and bool are themselves; `Text`, `Blob`, `Nat32s` and `Vec(T)` are below. `[]const T` (only
//! written, never read) is vec T. Field names are the Zig names. candid_decode.zig reads, candid_encode.zig writes.

const std = @import("std");

pub const Opcode = enum(i32) {
    null = -1,
    bool = -2,
    nat = -3,
    int = -4,
    nat8 = -5,
    nat16 = -6,
    nat32 = -7,
    nat64 = -8,
    int8 = -9,
    int16 = -10,
    int32 = -11,
    int64 = -12,
    float32 = -13,
    float64 = -14,
    text = -15,
    reserved = -16,
    empty = -17,
    opt = -18,
    vec = -19,
    record = -20,
    variant = -21,
    func = -22,
    service = -23,
    principal = -24,
};

/// text: valid UTF-8.
pub const Text = struct { bytes: []const u8 };

/// vec nat8.
pub const Blob = struct { bytes: []const u8 };

/// nat; what is written here fits 128 bits.
pub const Nat = struct { value: u128 };

/// vec nat32 as it lies in a message: little-endian, at any address.
pub const Nat32s = struct {
    bytes: []const u8,

    pub fn count(self: Nat32s) usize {
        return self.bytes.len / 4;
    }

    pub fn at(self: Nat32s, index: usize) u32 {
        return std.mem.readInt(u32, self.bytes[4 * index ..][0..4], .little);
    }
};

/// The 32-bit number that stands for a field's name.
pub fn fieldHash(name: []const u8) u32 {
    var hash: u32 = 0;
    for (name) |byte| hash = hash *% 223 +% byte;
    return hash;
}

test fieldHash {
    try std.testing.expectEqual(@as(u32, 17724), fieldHash("Ok"));
    try std.testing.expectEqual(@as(u32, 3456837), fieldHash("Err"));
    try std.testing.expectEqual(@as(u32, 1224700491), fieldHash("name"));
}
