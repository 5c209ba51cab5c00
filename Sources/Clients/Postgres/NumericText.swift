/// PostgreSQL's binary `numeric` to and from decimal text, digit by digit: nothing is ever rounded.
///
/// The binary form is: number of base-10000 groups, weight of the first group, sign, count of decimal places shown,
/// then the groups. `10.10` keeps its two places.
enum NumericText {
    private static let negative: UInt16 = 0x4000
    /// Far above any amount, far below the server's own limit (131,072 digits before the point).
    private static let lengthMax = 4_000

    /// Accepts `-12`, `0.50`, `.5`, `1e-10`, `2.5E3`. Returns false, with nothing appended, for anything else.
    static func encode(_ text: String, into bytes: inout [UInt8]) -> Bool {
        guard let (digits, point, scale, isNegative) = parse(text) else { return false }
        guard let leading = digits.firstIndex(where: { $0 != 0 }) else {
            bytes.append(bigEndian: Int16(0))
            bytes.append(bigEndian: Int16(0))
            bytes.append(bigEndian: UInt16(0))
            bytes.append(bigEndian: UInt16(scale))
            return true
        }
        // `power` is the power of ten of a digit; a group is four powers.
        let weight = floorOfQuarter(point - 1 - leading)
        let last = floorOfQuarter(-scale)
        var groups: [UInt16] = []
        for group in stride(from: weight, through: min(last, weight), by: -1) {
            var value: UInt16 = 0
            for power in stride(from: group * 4 + 3, through: group * 4, by: -1) {
                let index = point - 1 - power
                value = value * 10 + (digits.indices.contains(index) ? UInt16(digits[index]) : 0)
            }
            groups.append(value)
        }
        while groups.last == 0 { groups.removeLast() }
        bytes.append(bigEndian: Int16(groups.count))
        bytes.append(bigEndian: Int16(weight))
        bytes.append(bigEndian: isNegative ? negative : 0)
        bytes.append(bigEndian: UInt16(scale))
        for group in groups { bytes.append(bigEndian: group) }
        return true
    }

    /// nil for NaN, the infinities and anything malformed.
    static func decode(_ bytes: ArraySlice<UInt8>) -> String? {
        var reader = ByteReader(bytes)
        guard let count = reader.next(Int16.self), let weight = reader.next(Int16.self),
            let sign = reader.next(UInt16.self), let scale = reader.next(UInt16.self),
            sign == 0 || sign == negative, count >= 0
        else { return nil }
        var groups: [UInt16] = []
        for _ in 0..<count {
            guard let group = reader.next(UInt16.self), group < 10_000 else { return nil }
            groups.append(group)
        }
        func group(_ weightOfGroup: Int) -> UInt16 {
            let index = Int(weight) - weightOfGroup
            return groups.indices.contains(index) ? groups[index] : 0
        }
        var text: [UInt8] = sign == negative ? [UInt8(ascii: "-")] : []
        if weight < 0 || groups.isEmpty {
            text.append(UInt8(ascii: "0"))
        } else {
            text.append(contentsOf: String(group(Int(weight))).utf8)
            for next in stride(from: Int(weight) - 1, through: 0, by: -1) { text.append(group: group(next)) }
        }
        if scale > 0 {
            text.append(UInt8(ascii: "."))
            let end = text.count + Int(scale)
            for next in stride(from: -1, through: floorOfQuarter(-Int(scale)), by: -1) {
                text.append(group: group(next))
            }
            text.removeLast(text.count - end)
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Digits without sign and point, how many of them stand before the point, and the places after it.
    private static func parse(_ text: String) -> (digits: [UInt8], point: Int, scale: Int, isNegative: Bool)? {
        guard text.utf8.count <= lengthMax else { return nil }
        var rest = Substring(text).utf8
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
        var digits: [UInt8] = []
        var point: Int?
        while let byte = rest.first {
            if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
                digits.append(byte - UInt8(ascii: "0"))
            } else if byte == UInt8(ascii: "."), point == nil {
                point = digits.count
            } else {
                break
            }
            rest.removeFirst()
        }
        guard !digits.isEmpty else { return nil }
        var exponent = 0
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            guard let value = Int(Substring(rest.dropFirst())), abs(value) <= lengthMax else { return nil }
            exponent = value
        } else if !rest.isEmpty {
            return nil
        }
        let places = digits.count - (point ?? digits.count)
        return (digits, (point ?? digits.count) + exponent, max(0, places - exponent), isNegative)
    }

    private static func floorOfQuarter(_ value: Int) -> Int { value >> 2 }
}

extension [UInt8] {
    /// Four digits with their leading zeros.
    fileprivate mutating func append(group: UInt16) {
        let zero = UInt8(ascii: "0")
        for divisor in [1000, 100, 10, 1] as [UInt16] { append(zero + UInt8(group / divisor % 10)) }
    }
}
