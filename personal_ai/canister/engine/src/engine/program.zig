//! Reads and checks a program file (docs/formats/program.md). After `open` every table, offset and shape holds, for
//! every call within the program's maxima; only operators' demands on their operands are checked elsewhere
//! (operators.zig). Nothing here trusts a byte: sizes are computed in 64 bits from fields of 32.

const std = @import("std");
const format = @import("format.zig");

pub const Error = error{
    /// Not a program, or one that was cut short.
    BadHeader,
    /// Written by a compiler that this engine does not know.
    UnknownVersion,
    /// A table, offset, shape or attribute that does not hold together.
    BadProgram,
    /// An operator, an element type or a size that this engine does not have.
    Unsupported,
};

const section_count = std.meta.fields(format.Section).len;
const length_limit = 1 << 20; // of a context, or of what a symbol stands for

pub const Program = struct {
    header: *const format.Header,
    dimensions: []const format.Dimension,
    tensors: []const format.Tensor,
    operands: []const u32,
    operators: []const format.Operator,
    end_tokens: []const u32,
    ports: []const format.Port,
    weights: []align(format.alignment_bytes) const u8,

    pub fn open(bytes: []align(format.alignment_bytes) const u8) Error!Program {
        const header = try checkedHeader(bytes);
        const program = Program{
            .header = header,
            .dimensions = try table(format.Dimension, bytes, .dimensions),
            .tensors = try table(format.Tensor, bytes, .tensors),
            .operands = try table(u32, bytes, .operands),
            .operators = try table(format.Operator, bytes, .operators),
            .end_tokens = try table(u32, bytes, .end_tokens),
            .ports = try table(format.Port, bytes, .ports),
            .weights = try section(bytes, .weights),
        };
        for (program.tensors) |*tensor| try program.checkTensor(tensor);
        for (program.operators) |*operator| try program.checkOperator(operator);
        for (program.end_tokens) |token| if (token >= header.vocabulary_size) return error.BadProgram;
        if (program.isGraph()) try program.checkPorts() else try program.checkLogits();
        return program;
    }

    pub fn isGraph(program: *const Program) bool {
        return program.header.kind == @intFromEnum(format.Kind.graph);
    }

    /// Bytes of keys and values, and of the positions beyond them that may be read (never used).
    pub fn stateSizeBytes(program: *const Program) u64 {
        return stateRows(program.header) * program.header.state_row_size_bytes;
    }

    pub fn inputs(program: *const Program, operator: *const format.Operator) []const u32 {
        return program.operands[operator.first_operand..][0..operator.input_count];
    }

    pub fn outputs(program: *const Program, operator: *const format.Operator) []const u32 {
        return program.operands[operator.first_operand + operator.input_count ..][0..operator.output_count];
    }

    /// The length of an axis.
    pub fn dimension(program: *const Program, tensor: *const format.Tensor, axis: usize) format.Dimension {
        return program.dimensions[tensor.dimensions[axis]];
    }

    /// Of a matrix (rank 2).
    pub fn rowsOf(program: *const Program, tensor: *const format.Tensor) format.Dimension {
        return program.dimension(tensor, 0);
    }

    pub fn columnsOf(program: *const Program, tensor: *const format.Tensor) format.Dimension {
        return program.dimension(tensor, tensor.rank - 1);
    }

    /// The most that each symbol may stand for.
    pub fn symbolMaxima(program: *const Program) [format.symbol_count]u32 {
        const header = program.header;
        return if (program.isGraph()) header.symbol_maxima else .{ header.sequence_max, header.context_length_max, 0 };
    }

    /// The greatest length of an axis.
    pub fn lengthMax(program: *const Program, length: format.Dimension) u64 {
        const maxima = program.symbolMaxima(); // at most 2^20 each
        return length.constant + @as(u64, length.sequence) * maxima[0] + @as(u64, length.past) * maxima[1] +
            @as(u64, length.third) * maxima[2];
    }

    /// The most rows there can be: all axes but the last.
    pub fn rowsMax(program: *const Program, tensor: *const format.Tensor) u64 {
        var rows: u64 = 1;
        for (0..tensor.rank - 1) |axis| rows *|= program.lengthMax(program.dimension(tensor, axis));
        return rows;
    }

    pub fn columnsMax(program: *const Program, tensor: *const format.Tensor) u64 {
        return program.lengthMax(program.columnsOf(tensor));
    }

    fn checkTensor(program: Program, tensor: *const format.Tensor) Error!void {
        const element = std.meta.intToEnum(format.Element, tensor.element) catch return error.Unsupported;
        const storage = std.meta.intToEnum(format.Storage, tensor.storage) catch return error.Unsupported;
        if (tensor.reserved != 0 or tensor.reserved_2 != 0) return error.BadProgram;
        if (tensor.rank == 0 or tensor.rank > format.rank_max) return error.BadProgram;
        for (tensor.dimensions, 0..) |number, i| {
            if (i < tensor.rank) {
                if (number >= program.dimensions.len) return error.BadProgram;
                if (!program.neverEmpty(program.dimensions[number])) return error.BadProgram;
            } else if (number != 0) return error.BadProgram;
        }
        if (!program.isGraph()) {
            if (tensor.rank != 2) return error.Unsupported;
            if (!isConstant(program.columnsOf(tensor))) return error.BadProgram;
        }
        switch (storage) {
            .arena => try program.checkArena(tensor, element),
            .weights => try program.checkWeights(tensor, element),
            .state => try program.checkState(tensor, element, program.rowsOf(tensor)),
        }
    }

    /// Whether a length is at least one in every call. Symbols are at least one, but a decoder may have no past.
    fn neverEmpty(program: Program, length: format.Dimension) bool {
        if (!program.isGraph()) return length.third == 0 and @as(u64, length.constant) + length.sequence > 0;
        const factors = [_]u32{ length.sequence, length.past, length.third };
        for (factors, program.header.symbol_maxima) |factor, most| if (factor > 0 and most == 0) return false;
        return program.lengthMax(length) > 0;
    }

    fn checkArena(program: Program, tensor: *const format.Tensor, element: format.Element) !void {
        switch (element) {
            .f32, .i16_block => {},
            .i64 => if (!program.isGraph()) return error.BadProgram,
            else => return error.BadProgram,
        }
        try program.checkExtent(tensor, element, program.rowsMax(tensor), program.header.arena_size_bytes);
    }

    fn checkWeights(program: Program, tensor: *const format.Tensor, element: format.Element) !void {
        for (0..tensor.rank) |axis| if (!isConstant(program.dimension(tensor, axis))) return error.BadProgram;
        if (tensor.offset % format.alignment_bytes != 0) return error.BadProgram;
        const rows = program.rowsMax(tensor);
        if (element == .f32 or (element == .i64 and program.isGraph())) {
            return program.checkExtent(tensor, element, rows, program.weights.len);
        }
        if (tensor.rank != 2) return error.BadProgram;
        switch (element) {
            .f32_packed, .i8_block_packed, .i4_block_packed, .i4_block_bytes, .i8_screened => {},
            else => return error.BadProgram,
        }
        if (tensor.row_stride_bytes != 0) return error.BadProgram;
        const size = packedSizeBytes(element, @intCast(rows), program.columnsOf(tensor).constant);
        if (tensor.offset + size > program.weights.len) return error.BadProgram;
    }

    fn checkState(program: Program, tensor: *const format.Tensor, element: format.Element, rows: format.Dimension) !void {
        const header = program.header;
        if (program.isGraph()) return error.BadProgram;
        if (rows.constant != header.context_length_max or rows.sequence != 0 or rows.past != 0) return error.BadProgram;
        if (tensor.row_stride_bytes != header.state_row_size_bytes) return error.BadProgram;
        switch (element) {
            .f32 => try program.checkExtent(tensor, element, 1, header.state_row_size_bytes),
            .i8_kept => if (tensor.offset % format.group != 0) return error.BadProgram, // operators.zig knows the heads
            else => return error.BadProgram,
        }
    }

    fn checkExtent(program: Program, tensor: *const format.Tensor, element: format.Element, rows: u64, size: u64) Error!void {
        const row_size = rowSizeBytes(element, program.columnsMax(tensor));
        if (tensor.offset % format.row_alignment_bytes != 0) return error.BadProgram;
        if (tensor.row_stride_bytes % format.row_alignment_bytes != 0) return error.BadProgram;
        if (tensor.row_stride_bytes < row_size) return error.BadProgram;
        const end = tensor.offset +| (rows - 1) *| tensor.row_stride_bytes +| row_size;
        if (end > size) return error.BadProgram;
    }

    fn checkPorts(program: Program) Error!void {
        for (program.ports, 0..) |*port, i| {
            _ = std.meta.intToEnum(format.Direction, port.direction) catch return error.BadProgram;
            if (port.reserved != 0 or port.tensor >= program.tensors.len) return error.BadProgram;
            if (port.name_length == 0 or port.name_length > port.name.len) return error.BadProgram;
            if (!std.unicode.utf8ValidateSlice(portName(port))) return error.BadProgram;
            const tensor = &program.tensors[port.tensor];
            if (tensor.storage != @intFromEnum(format.Storage.arena)) return error.BadProgram;
            if (tensor.element == @intFromEnum(format.Element.i16_block)) return error.BadProgram;
            for (program.ports[0..i]) |*other| if (std.mem.eql(u8, portName(other), portName(port))) return error.BadProgram;
        }
    }

    fn checkOperator(program: Program, operator: *const format.Operator) Error!void {
        const code = std.meta.intToEnum(format.Code, operator.code) catch return error.Unsupported;
        const signature = format.signature(code);
        if (operator.input_count != signature.inputs or operator.output_count != signature.outputs) {
            return error.BadProgram;
        }
        const count: u64 = @as(u64, signature.inputs) + signature.outputs;
        if (operator.first_operand + count > program.operands.len) return error.BadProgram;
        for (program.inputs(operator)) |index| {
            if (index != format.no_operand and index >= program.tensors.len) return error.BadProgram;
        }
        for (program.outputs(operator)) |index| {
            if (index >= program.tensors.len) return error.BadProgram;
            if (program.tensors[index].storage != @intFromEnum(format.Storage.arena)) return error.BadProgram;
        }
        for (operator.attributes[signature.attributes..]) |word| if (word != 0) return error.BadProgram;
    }

    fn checkLogits(program: Program) Error!void {
        const header = program.header;
        if (header.logits >= program.tensors.len) return error.BadProgram;
        const logits = &program.tensors[header.logits];
        const rows = program.rowsOf(logits);
        if (logits.storage != @intFromEnum(format.Storage.arena)) return error.BadProgram;
        if (logits.element != @intFromEnum(format.Element.f32)) return error.BadProgram;
        if (rows.constant != 1 or rows.sequence != 0 or rows.past != 0) return error.BadProgram;
        if (program.columnsOf(logits).constant != header.vocabulary_size) return error.BadProgram;
        if (program.ports.len != 0) return error.BadProgram;
        if (header.body_operator_count > program.operators.len) return error.BadProgram;
    }
};

fn stateRows(header: *const format.Header) u64 {
    return roundUp(@as(u64, header.context_length_max) + format.group - 1, format.state_chunk);
}

/// Bytes that a row takes, in whole vectors.
pub fn rowSizeBytes(element: format.Element, columns: u64) u64 {
    if (element == .i16_block) return roundUp(blocks(columns) * (2 * format.block + 4), format.row_alignment_bytes);
    return roundUp(columns * @as(u64, if (element == .i64) 8 else 4), format.row_alignment_bytes);
}

pub fn portName(port: *const format.Port) []const u8 {
    return port.name[0..port.name_length];
}

pub fn isConstant(length: format.Dimension) bool {
    return length.sequence == 0 and length.past == 0 and length.third == 0;
}

fn packedSizeBytes(element: format.Element, outputs: u32, columns: u32) u64 {
    const narrow = roundUp(outputs, format.group);
    const wide = roundUp(outputs, format.wide_group);
    return switch (element) {
        .f32_packed => narrow *| columns *| 4,
        .i4_block_packed => wide * blocks(columns) *| (format.block / 2 + 4),
        .i4_block_bytes => wide * blocks(columns) *| (format.block + 4),
        .i8_screened => wide * blocks(columns) *| (format.block + format.block / 2 + 4),
        else => narrow * blocks(columns) *| (format.block + 4),
    };
}

fn blocks(columns: u64) u64 {
    return roundUp(columns, format.block) / format.block;
}

fn roundUp(value: u64, step: u64) u64 {
    return (value + step - 1) / step * step;
}

fn checkedHeader(bytes: []align(format.alignment_bytes) const u8) Error!*const format.Header {
    if (bytes.len < @sizeOf(format.Header) + section_count * @sizeOf(format.SectionEntry)) return error.BadHeader;
    const header: *const format.Header = @ptrCast(bytes.ptr);
    if (!std.mem.eql(u8, &header.magic, &format.magic)) return error.BadHeader;
    if (header.version != format.version) return error.UnknownVersion;
    if (header.section_count != section_count or header.size_bytes != bytes.len) return error.BadHeader;
    switch (std.meta.intToEnum(format.Kind, header.kind) catch return error.Unsupported) {
        .decoder => try checkDecoderHeader(header),
        .graph => try checkGraphHeader(header),
    }
    if (header.arena_size_bytes > format.arena_size_bytes_max) return error.Unsupported;
    if (header.state_row_size_bytes % format.row_alignment_bytes != 0) return error.BadProgram;
    if (stateRows(header) * header.state_row_size_bytes > std.math.maxInt(u32)) return error.Unsupported;
    return header;
}

fn checkDecoderHeader(header: *const format.Header) Error!void {
    for (header.symbol_maxima) |word| if (word != 0) return error.BadProgram;
    if (header.vocabulary_size == 0 or header.sequence_max == 0) return error.BadProgram;
    if (header.sequence_max > header.context_length_max) return error.BadProgram;
    if (header.context_length_max > length_limit) return error.Unsupported;
}

fn checkGraphHeader(header: *const format.Header) Error!void {
    if (header.vocabulary_size != 0 or header.context_length_max != 0 or header.sequence_max != 0) return error.BadProgram;
    if (header.state_row_size_bytes != 0 or header.logits != 0 or header.body_operator_count != 0) return error.BadProgram;
    for (header.symbol_maxima) |most| if (most > length_limit) return error.Unsupported;
}

/// The sections follow each other in the order of their kinds, each on an alignment boundary.
fn section(bytes: []align(format.alignment_bytes) const u8, kind: format.Section) Error![]align(format.alignment_bytes) const u8 {
    const entries: *const [section_count]format.SectionEntry = @ptrCast(bytes[@sizeOf(format.Header)..].ptr);
    const index = @intFromEnum(kind) - 1;
    const entry = entries[index];
    if (entry.kind != @intFromEnum(kind) or entry.reserved != 0) return error.BadProgram;
    if (entry.offset % format.alignment_bytes != 0) return error.BadProgram;
    const begin = if (index == 0)
        @sizeOf(format.Header) + @sizeOf([section_count]format.SectionEntry)
    else
        @as(u64, entries[index - 1].offset) + entries[index - 1].size_bytes;
    const end = @as(u64, entry.offset) + entry.size_bytes;
    if (entry.offset < begin or end > bytes.len) return error.BadProgram;
    return @alignCast(bytes[entry.offset..][0..entry.size_bytes]);
}

fn table(comptime T: type, bytes: []align(format.alignment_bytes) const u8, kind: format.Section) Error![]const T {
    const content = try section(bytes, kind);
    if (content.len % @sizeOf(T) != 0) return error.BadProgram;
    const count = content.len / @sizeOf(T);
    if (count > format.table_length_max) return error.Unsupported;
    return @as([*]const T, @ptrCast(content.ptr))[0..count];
}
