//! Writes Candid messages. The type table is made from the Zig type when the module is compiled.

const std = @import("std");
const candid = @import("candid.zig");

const Opcode = candid.Opcode;

pub const Error = error{
    /// The buffer is too short for the message.
    TooLong,
};

/// The message with the one argument `value`, at the beginning of `buffer`.
pub fn encode(comptime T: type, value: T, buffer: []u8) Error![]const u8 {
    var writer = Writer{ .buffer = buffer };
    try writer.bytes(comptime header(T));
    try writer.value(T, value);
    return buffer[0..writer.at];
}

const Writer = struct {
    buffer: []u8,
    at: usize = 0,

    fn bytes(self: *Writer, source: []const u8) Error!void {
        if (source.len > self.buffer.len - self.at) return error.TooLong;
        @memcpy(self.buffer[self.at..][0..source.len], source);
        self.at += source.len;
    }

    fn unsigned(self: *Writer, number: u128) Error!void {
        var rest = number;
        while (rest >= 0x80) : (rest >>= 7) try self.bytes(&.{@as(u8, @truncate(rest)) | 0x80});
        try self.bytes(&.{@intCast(rest)});
    }

    fn fixed(self: *Writer, comptime T: type, number: T) Error!void {
        var little: [@sizeOf(T)]u8 = undefined;
        std.mem.writeInt(T, &little, number, .little);
        try self.bytes(&little);
    }

    fn value(self: *Writer, comptime T: type, given: T) Error!void {
        switch (T) {
            void => {},
            bool => try self.fixed(u8, @intFromBool(given)),
            u32, u64 => try self.fixed(T, given),
            candid.Nat => try self.unsigned(given.value),
            candid.Text, candid.Blob => {
                try self.unsigned(given.bytes.len);
                try self.bytes(given.bytes);
            },
            else => switch (@typeInfo(T)) {
                .optional => |optional| {
                    try self.fixed(u8, @intFromBool(given != null));
                    if (given) |inner| try self.value(optional.child, inner);
                },
                .pointer => |slice| {
                    try self.unsigned(given.len);
                    for (given) |item| try self.value(slice.child, item);
                },
                .@"struct" => inline for (comptime sortedFields(T)) |field| {
                    try self.value(field.type, @field(given, field.name));
                },
                .@"union" => inline for (comptime sortedFields(T), 0..) |field, index| {
                    if (std.mem.eql(u8, @tagName(given), field.name)) {
                        try self.unsigned(index);
                        try self.value(field.type, @field(given, field.name));
                    }
                },
                else => @compileError("no Candid for " ++ @typeName(T)),
            },
        }
    }
};

const Field = struct { name: []const u8, type: type };

/// Fields of a record or variant in the order of their hashes.
fn sortedFields(comptime T: type) []const Field {
    comptime {
        const given = std.meta.fields(T);
        var fields: [given.len]Field = undefined;
        for (given, &fields) |field, *target| target.* = .{ .name = field.name, .type = field.type };
        std.sort.insertion(Field, &fields, {}, struct {
            fn before(_: void, a: Field, b: Field) bool {
                return candid.fieldHash(a.name) < candid.fieldHash(b.name);
            }
        }.before);
        const sorted = fields;
        return &sorted;
    }
}

/// "DIDL", type table, one argument's type.
fn header(comptime T: type) []const u8 {
    comptime {
        @setEvalBranchQuota(100_000);
        var table = Table{};
        const argument = table.ref(T);
        return "DIDL" ++ leb(table.types.len) ++ table.entries() ++ leb(1) ++ argument;
    }
}

/// The composite types found so far and the entry of each.
const Table = struct {
    types: []const type = &.{},
    definitions: []const []const u8 = &.{},

    fn ref(comptime self: *Table, comptime T: type) []const u8 {
        switch (T) {
            void => return code(.null),
            bool => return code(.bool),
            u8 => return code(.nat8),
            u32 => return code(.nat32),
            u64 => return code(.nat64),
            candid.Nat => return code(.nat),
            candid.Text => return code(.text),
            candid.Blob => return self.ref([]const u8),
            else => {
                for (self.types, 0..) |known, index| if (known == T) return leb(index);
                const index = self.types.len;
                self.types = self.types ++ .{T};
                self.definitions = self.definitions ++ .{""};
                const made = self.definition(T);
                self.definitions = self.definitions[0..index] ++ .{made} ++ self.definitions[index + 1 ..];
                return leb(index);
            },
        }
    }

    fn definition(comptime self: *Table, comptime T: type) []const u8 {
        switch (@typeInfo(T)) {
            .optional => |optional| return code(.opt) ++ self.ref(optional.child),
            .pointer => |slice| return code(.vec) ++ self.ref(slice.child),
            .@"struct" => return code(.record) ++ self.fields(T),
            .@"union" => return code(.variant) ++ self.fields(T),
            else => @compileError("no Candid for " ++ @typeName(T)),
        }
    }

    fn fields(comptime self: *Table, comptime T: type) []const u8 {
        const sorted = sortedFields(T);
        var made = leb(sorted.len);
        for (sorted) |field| made = made ++ leb(candid.fieldHash(field.name)) ++ self.ref(field.type);
        return made;
    }

    fn entries(comptime self: *const Table) []const u8 {
        var joined: []const u8 = "";
        for (self.definitions) |made| joined = joined ++ made;
        return joined;
    }
};

/// An opcode as signed LEB128: all of them fit one byte.
fn code(comptime opcode: Opcode) []const u8 {
    return &.{@as(u8, @bitCast(@as(i8, @intFromEnum(opcode)))) & 0x7f};
}

fn leb(comptime number: u64) []const u8 {
    if (number < 0x80) return &.{number};
    return &[_]u8{(number & 0x7f) | 0x80} ++ leb(number >> 7);
}
