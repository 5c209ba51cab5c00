/// Query strings and form bodies.
enum FormText {
    static func pairs(_ text: String) -> [(name: String, value: String)] {
        text.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (unescaped(parts[0]), parts.count > 1 ? unescaped(parts[1]) : "")
        }
    }

    /// Undoes `%41` and `+`.
    static func unescaped(_ text: Substring) -> String {
        let bytes = Array(text.utf8)
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var cursor = 0
        while cursor < bytes.count {
            let byte = bytes[cursor]
            if byte == UInt8(ascii: "%"), cursor + 2 < bytes.count,
                let value = UInt8(String(decoding: bytes[(cursor + 1)...(cursor + 2)], as: UTF8.self), radix: 16) {
                output.append(value)
                cursor += 3
                continue
            }
            output.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            cursor += 1
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// Escapes all but letters, digits and `-._~`.
    static func escaped(_ text: String) -> String {
        var output: [UInt8] = []
        for byte in text.utf8 {
            let character = Unicode.Scalar(byte)
            if byte < 128, character.properties.isAlphabetic || (48...57).contains(byte) || "-._~".utf8.contains(byte) {
                output.append(byte)
            } else {
                output += Array("%".utf8) + Array(SHA256.hex([byte]).uppercased().utf8)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}

enum Base64 {
    /// Reads `id:secret` out of a Basic authorisation; nil where it is none.
    static func credentials(_ text: Substring) -> (id: String, secret: String)? {
        guard let bytes = decoded(text) else { return nil }
        let parts = String(decoding: bytes, as: UTF8.self)
            .split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
    }

    static func decoded(_ text: Substring) -> [UInt8]? {
        var output: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in text.utf8 {
            let value: UInt8
            switch byte {
            case 65...90: value = byte - 65
            case 97...122: value = byte - 71
            case 48...57: value = byte + 4
            case UInt8(ascii: "+"), UInt8(ascii: "-"): value = 62
            case UInt8(ascii: "/"), UInt8(ascii: "_"): value = 63
            case UInt8(ascii: "="), UInt8(ascii: " "): continue
            default: return nil
            }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                output.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return output
    }
}
