//! Counts what a fuzz has run: each operator of decoders and of graphs, apart for every kind of numbers or function that
//! has code of its own. One that was never run has not been tested.

const std = @import("std");
const shell = @import("shell");
const engine = shell.engine;
const format = shell.format;
const Code = format.Code;
const Element = format.Element;

const codes = std.meta.fields(Code).len + 1; // they begin at 1
const variants = 16;
const first_of_graphs = @intFromEnum(Code.gather);

pub const Reached = struct {
    decoder: [codes][variants]u64 = @splat(@splat(0)),
    graph: [codes][variants]u64 = @splat(@splat(0)),

    pub fn note(self: *Reached, model: *const engine.Model, operator: *const format.Operator) void {
        const table = if (model.isGraph()) &self.graph else &self.decoder;
        table[operator.code][variantOf(model, operator)] += 1;
    }

    /// As JSON: {"decoder": {operator: times}, "graph": {…}}, operators that were never run among them.
    pub fn print(self: *const Reached) void {
        std.debug.print("{{\"decoder\": {{", .{});
        printTable(&self.decoder, isOfDecoders);
        std.debug.print("}}, \"graph\": {{", .{});
        printTable(&self.graph, isOfGraphs);
        std.debug.print("}}}}", .{});
    }
};

fn printTable(table: *const [codes][variants]u64, has: *const fn (Code) bool) void {
    var separator: []const u8 = "";
    for (std.enums.values(Code)) |code| {
        if (!has(code)) continue;
        for (table[@intFromEnum(code)], 0..) |times, variant| {
            const name = variantName(code, variant) orelse continue;
            std.debug.print("{s}\"{s}{s}\": {}", .{ separator, @tagName(code), name, times });
            separator = ", ";
        }
    }
}

fn isOfDecoders(code: Code) bool {
    return @intFromEnum(code) < first_of_graphs;
}

fn isOfGraphs(code: Code) bool {
    return switch (code) {
        .rows, .rotary, .attention, .last_row => false,
        else => true,
    };
}

fn variantOf(model: *const engine.Model, operator: *const format.Operator) usize {
    const in = model.program.inputs(operator);
    const tensors = model.program.tensors;
    return switch (@as(Code, @enumFromInt(operator.code))) {
        .rows, .gather, .transpose, .slice, .place, .reshape => tensors[in[0]].element,
        .matmul => tensors[in[1]].element,
        .attention => tensors[in[3]].element,
        .unary, .binary, .reduce => operator.attributes[0],
        else => 0,
    };
}

/// What follows the operator's name; null where there is no such variant.
fn variantName(code: Code, variant: usize) ?[]const u8 {
    return switch (code) {
        .rows => ofElement(variant, &.{ .f32, .f32_packed, .i8_block_packed, .i8_screened }),
        .gather => ofElement(variant, &.{ .f32, .f32_packed, .i8_block_packed }),
        .transpose, .slice, .place, .reshape => ofElement(variant, &.{ .f32, .i64 }),
        .matmul => ofElement(variant, &.{ .f32_packed, .i8_block_packed, .i4_block_packed, .i4_block_bytes, .i8_screened }),
        .attention => ofElement(variant, &.{ .f32, .i8_kept }),
        .unary => ofFunction(format.UnaryFunction, variant),
        .binary => ofFunction(format.BinaryFunction, variant),
        .reduce => ofFunction(format.Reduction, variant),
        else => if (variant == 0) "" else null,
    };
}

fn ofElement(variant: usize, elements: []const Element) ?[]const u8 {
    const element = std.meta.intToEnum(Element, variant) catch return null;
    if (std.mem.indexOfScalar(Element, elements, element) == null) return null;
    return switch (element) {
        inline else => |known| " " ++ @tagName(known),
    };
}

fn ofFunction(comptime Function: type, variant: usize) ?[]const u8 {
    return switch (std.meta.intToEnum(Function, variant) catch return null) {
        inline else => |known| " " ++ @tagName(known),
    };
}
