//! Reads a Candid message into Zig types without allocating. The message is hostile: type table, nesting and work are
//! bounded, and nothing read here can reach outside of it. Unknown record fields and further arguments are skipped,
//! so that later clients may say more.

const std = @import("std");
const candid = @import("candid.zig");

const Opcode = candid.Opcode;

pub const Error = error{
    /// Not a Candid message.
    Malformed,
    /// A Candid message, but of other types.
    WrongType,
    /// More types, nesting or elements than any sensible message has.
    TooComplex,
};

const types_most = 128;
const fields_most = 1024;
const depth_most = 16;
/// Values that take no bytes (vec null) may not take the time of more than this many steps beyond the message's length.
const spare_work = 10_000;

/// A negative number is an `Opcode`, another one an index into the type table.
const TypeRef = i32;

/// The type table of one message; views into the message (`Vec`) refer to it.
pub const Types = struct {
    bytes: []const u8 = &.{},
    definitions: [types_most]u32 = undefined,
    count: u32 = 0,

    fn definition(self: *const Types, ref: TypeRef) Definition {
        if (ref < 0) return .{ .opcode = @enumFromInt(ref), .inner = .{ .bytes = &.{} } };
        var cursor = Cursor{ .bytes = self.bytes, .at = self.definitions[@intCast(ref)] };
        const opcode = cursor.signed() catch unreachable; // parsed before
        return .{ .opcode = @enumFromInt(opcode), .inner = cursor };
    }
};

/// One entry of the type table; `inner` stands behind the opcode.
const Definition = struct { opcode: Opcode, inner: Cursor };

/// Reads the arguments `Args` (a struct of the fields in their order) from a message. `types` must live as long as the
/// result is used.
pub fn decode(comptime Args: type, bytes: []const u8, types: *Types) Error!Args {
    var cursor = Cursor{ .bytes = bytes, .work_left = bytes.len + spare_work };
    if (!std.mem.eql(u8, try cursor.take(4), "DIDL")) return error.Malformed;
    try parseTable(&cursor, types);
    const count = try cursor.unsigned(u32);
    if (count > fields_most) return error.TooComplex;
    var refs = cursor;
    for (0..count) |_| _ = try parseRef(&cursor, types.count);
    const fields = std.meta.fields(Args);
    if (count < fields.len) return error.WrongType;
    var args: Args = undefined;
    inline for (fields) |field| {
        @field(args, field.name) = try value(field.type, types, &cursor, try refs.signed(), 0);
    }
    for (fields.len..count) |_| try skip(types, &cursor, try refs.signed(), 0);
    return if (cursor.at == bytes.len) args else error.Malformed;
}

fn parseTable(cursor: *Cursor, types: *Types) Error!void {
    const count = try cursor.unsigned(u32);
    if (count > types_most) return error.TooComplex;
    types.* = .{ .bytes = cursor.bytes, .count = count };
    var fields_left: u32 = fields_most;
    for (0..count) |i| {
        types.definitions[i] = @intCast(cursor.at);
        switch (try cursor.signed()) {
            @intFromEnum(Opcode.opt), @intFromEnum(Opcode.vec) => _ = try parseRef(cursor, count),
            @intFromEnum(Opcode.record), @intFromEnum(Opcode.variant) => try parseFields(cursor, count, &fields_left),
            else => return error.Malformed, // functions and services are in no interface of ours
        }
    }
}

fn parseFields(cursor: *Cursor, type_count: u32, fields_left: *u32) Error!void {
    const count = try cursor.unsigned(u32);
    if (count > fields_left.*) return error.TooComplex;
    fields_left.* -= count;
    var before: ?u32 = null;
    for (0..count) |_| {
        const hash = try cursor.unsigned(u32);
        if (before != null and hash <= before.?) return error.Malformed;
        before = hash;
        _ = try parseRef(cursor, type_count);
    }
}

fn parseRef(cursor: *Cursor, type_count: u32) Error!TypeRef {
    const ref = try cursor.signed();
    const primitive = ref <= @intFromEnum(Opcode.null) and ref >= @intFromEnum(Opcode.empty);
    if (primitive or ref == @intFromEnum(Opcode.principal)) return ref;
    if (ref < 0 or ref >= type_count) return error.Malformed;
    return ref;
}

/// The value of type `T` at the cursor, where the message says that the type `ref` lies.
fn value(comptime T: type, types: *const Types, cursor: *Cursor, ref: TypeRef, depth: u32) Error!T {
    try cursor.work(1);
    const definition = types.definition(ref);
    switch (T) {
        bool => return if (try cursor.scalar(u8, definition, .bool) == 0) false else true,
        u32 => return cursor.scalar(u32, definition, .nat32),
        u64 => return cursor.scalar(u64, definition, .nat64),
        f32 => return @bitCast(try cursor.scalar(u32, definition, .float32)),
        candid.Text => return .{ .bytes = try text(cursor, definition) },
        candid.Blob => return .{ .bytes = try array(cursor, definition, .nat8, 1) },
        candid.Nat32s => return .{ .bytes = try array(cursor, definition, .nat32, 4) },
        else => {
            if (depth == depth_most) return error.TooComplex;
            if (@typeInfo(T) == .@"union") return variant(T, types, cursor, definition, depth + 1);
            if (@hasDecl(T, "Item")) return T.read(types, cursor, definition, depth + 1);
            return record(T, types, cursor, definition, depth + 1);
        },
    }
}

fn text(cursor: *Cursor, definition: Definition) Error![]const u8 {
    if (definition.opcode != .text) return error.WrongType;
    const bytes = try cursor.take(try cursor.unsigned(u32));
    return if (std.unicode.utf8ValidateSlice(bytes)) bytes else error.Malformed;
}

fn array(cursor: *Cursor, definition: Definition, item: Opcode, item_size_bytes: u64) Error![]const u8 {
    if (definition.opcode != .vec) return error.WrongType;
    var inner = definition.inner;
    if (try inner.signed() != @intFromEnum(item)) return error.WrongType;
    return cursor.take(try cursor.unsigned(u32) * item_size_bytes);
}

fn record(comptime T: type, types: *const Types, cursor: *Cursor, definition: Definition, depth: u32) Error!T {
    if (definition.opcode != .record) return error.WrongType;
    const fields = std.meta.fields(T);
    var found: T = undefined;
    var missing: u32 = fields.len;
    var inner = definition.inner;
    const count = try inner.unsigned(u32);
    for (0..count) |_| {
        const hash = try inner.unsigned(u32);
        const ref = try inner.signed();
        inline for (fields) |field| {
            if (hash == comptime candid.fieldHash(field.name)) {
                @field(found, field.name) = try value(field.type, types, cursor, ref, depth);
                missing -= 1; // the table's hashes rise, so none comes twice
                break;
            }
        } else try skip(types, cursor, ref, depth);
    }
    return if (missing == 0) found else error.WrongType;
}

fn variant(comptime T: type, types: *const Types, cursor: *Cursor, definition: Definition, depth: u32) Error!T {
    if (definition.opcode != .variant) return error.WrongType;
    var inner = definition.inner;
    const count = try inner.unsigned(u32);
    const chosen = try cursor.unsigned(u32);
    if (chosen >= count) return error.Malformed;
    for (0..chosen) |_| {
        _ = try inner.unsigned(u32);
        _ = try inner.signed();
    }
    const hash = try inner.unsigned(u32);
    const ref = try inner.signed();
    inline for (std.meta.fields(T)) |field| {
        if (hash == comptime candid.fieldHash(field.name)) {
            return @unionInit(T, field.name, try value(field.type, types, cursor, ref, depth));
        }
    }
    return error.WrongType;
}

/// vec T, read once when the message is and then an item at a time.
pub fn Vec(comptime T: type) type {
    return struct {
        pub const Item = T;
        const Self = @This();

        types: *const Types,
        start: Cursor,
        ref: TypeRef,
        count: u32,

        fn read(types: *const Types, cursor: *Cursor, definition: Definition, depth: u32) Error!Self {
            if (definition.opcode != .vec) return error.WrongType;
            var inner = definition.inner;
            const ref = try inner.signed();
            const count = try cursor.unsigned(u32);
            const start = cursor.*;
            for (0..count) |_| _ = try value(T, types, cursor, ref, depth);
            return .{ .types = types, .start = start, .ref = ref, .count = count };
        }

        pub fn iterator(self: *const Self) Iterator {
            return .{ .vec = self, .cursor = self.start, .left = self.count };
        }

        pub const Iterator = struct {
            vec: *const Self,
            cursor: Cursor,
            left: u32,

            pub fn next(self: *Iterator) ?T {
                if (self.left == 0) return null;
                self.left -= 1;
                return value(T, self.vec.types, &self.cursor, self.vec.ref, 0) catch unreachable; // `read` has seen it
            }
        };
    };
}

/// Steps over a value of any type.
fn skip(types: *const Types, cursor: *Cursor, ref: TypeRef, depth: u32) Error!void {
    try cursor.work(1);
    if (depth == depth_most) return error.TooComplex;
    const definition = types.definition(ref);
    var inner = definition.inner;
    switch (definition.opcode) {
        .null, .reserved => {},
        .bool, .nat8, .int8 => _ = try cursor.take(1),
        .nat16, .int16 => _ = try cursor.take(2),
        .nat32, .int32, .float32 => _ = try cursor.take(4),
        .nat64, .int64, .float64 => _ = try cursor.take(8),
        .nat, .int => while (try cursor.byte() >= 0x80) {},
        .text => _ = try text(cursor, definition),
        .principal => {
            if (try cursor.byte() != 1) return error.Malformed;
            _ = try cursor.take(try cursor.unsigned(u32));
        },
        .opt => switch (try cursor.byte()) {
            0 => {},
            1 => try skip(types, cursor, try inner.signed(), depth + 1),
            else => return error.Malformed,
        },
        .vec => {
            const item = try inner.signed();
            for (0..try cursor.unsigned(u32)) |_| try skip(types, cursor, item, depth + 1);
        },
        .record => for (0..try inner.unsigned(u32)) |_| {
            _ = try inner.unsigned(u32);
            try skip(types, cursor, try inner.signed(), depth + 1);
        },
        .variant => {
            const count = try inner.unsigned(u32);
            const chosen = try cursor.unsigned(u32);
            if (chosen >= count) return error.Malformed;
            for (0..chosen) |_| {
                _ = try inner.unsigned(u32);
                _ = try inner.signed();
            }
            _ = try inner.unsigned(u32);
            try skip(types, cursor, try inner.signed(), depth + 1);
        },
        .empty, .func, .service => return error.Malformed,
    }
}

const Cursor = struct {
    bytes: []const u8,
    at: usize = 0,
    work_left: u64 = std.math.maxInt(u64),

    fn work(self: *Cursor, steps: u64) Error!void {
        if (self.work_left < steps) return error.TooComplex;
        self.work_left -= steps;
    }

    fn take(self: *Cursor, count: u64) Error![]const u8 {
        if (count > self.bytes.len - self.at) return error.Malformed;
        const start = self.at;
        self.at += @intCast(count);
        return self.bytes[start..self.at];
    }

    fn byte(self: *Cursor) Error!u8 {
        return (try self.take(1))[0];
    }

    fn scalar(self: *Cursor, comptime T: type, definition: Definition, expected: Opcode) Error!T {
        if (definition.opcode != expected) return error.WrongType;
        const read = std.mem.readInt(T, (try self.take(@sizeOf(T)))[0..@sizeOf(T)], .little);
        return if (expected == .bool and read > 1) error.Malformed else read;
    }

    /// LEB128.
    fn unsigned(self: *Cursor, comptime T: type) Error!T {
        var result: u64 = 0;
        for (0..9) |i| {
            const part = try self.byte();
            result |= @as(u64, part & 0x7f) << @intCast(7 * i);
            if (part < 0x80) return std.math.cast(T, result) orelse error.Malformed;
        }
        return error.Malformed;
    }

    /// Signed LEB128 of at most 32 bits.
    fn signed(self: *Cursor) Error!i32 {
        var result: u64 = 0;
        for (0..5) |i| {
            const part = try self.byte();
            result |= @as(u64, part & 0x7f) << @intCast(7 * i);
            if (part >= 0x80) continue;
            const unused: u6 = @intCast(64 - 7 * (i + 1));
            return std.math.cast(i32, @as(i64, @bitCast(result << unused)) >> unused) orelse error.Malformed;
        }
        return error.Malformed;
    }
};
