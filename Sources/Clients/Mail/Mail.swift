/// One message of plain text, as it is to go out.
package struct Mail: Sendable {
    package var from: String
    package var to: [String]
    package var subject: String
    package var text: String
    /// The same for each attempt at one message, so that a mailbox can tell a second copy. Without angle brackets.
    package var messageID: String
    /// Seconds since 1970.
    package var date: Int64

    package init(from: String, to: [String], subject: String, text: String, messageID: String, date: Int64) {
        self.from = from
        self.to = to
        self.subject = subject
        self.text = text
        self.messageID = messageID
        self.date = date
    }

    /// A bare address, `name@host`: nothing that could end a line or an address of the protocol.
    package static func isAddress(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty, text.utf8.count <= 254 else { return false }
        return text.utf8.allSatisfy { byte in
            (0x21...0x7E).contains(byte) && !"<>()[],;:\\\"".utf8.contains(byte)
        }
    }

    /// RFC 5322 with MIME: every line ends with CR LF and is shorter than 78 bytes, whatever text and subject hold.
    package func encoded() -> [UInt8] {
        var lines = ["Date: \(Self.dateText(date))", "From: <\(from)>"]
        lines += to.enumerated().map { index, address in
            (index == 0 ? "To: " : " ") + "<\(address)>" + (index == to.count - 1 ? "" : ",")
        }
        lines += ["Message-ID: <\(messageID)>"] + Self.subjectLines(subject)
        lines += [
            "Auto-Submitted: auto-generated", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: base64", "",
        ]
        let encodedText = Array(Base64.encode(Array(text.utf8)))
        for start in stride(from: 0, to: encodedText.count, by: 76) {
            lines.append(String(decoding: encodedText[start..<min(start + 76, encodedText.count)], as: UTF8.self))
        }
        return Array((lines.joined(separator: "\r\n") + "\r\n").utf8)
    }

    /// RFC 2047: words of at most 75 characters, cut between characters, one a line.
    private static func subjectLines(_ subject: String) -> [String] {
        var words: [[UInt8]] = [[]]
        for character in subject {
            let bytes = Array(String(character).utf8.prefix(42))
            if words[words.count - 1].count + bytes.count > 42 { words.append([]) }
            words[words.count - 1] += bytes
        }
        return words.enumerated().map { index, word in
            (index == 0 ? "Subject: " : " ") + "=?utf-8?B?\(String(decoding: Base64.encode(word), as: UTF8.self))?="
        }
    }

    /// `Wed, 25 Nov 2026 04:05:06 +0000`.
    private static func dateText(_ seconds: Int64) -> String {
        let days = seconds / 86_400
        let rest = seconds % 86_400
        // H. Hinnant's civil_from_days, for days after 1970.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        let names = ["Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb"]
        let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let year = yearOfEra + era * 400 + (month >= 10 ? 1 : 0)
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(weekdays[Int(days % 7)]), \(day) \(names[Int(month)]) \(year) "
            + "\(two(rest / 3600)):\(two(rest / 60 % 60)):\(two(rest % 60)) +0000"
    }
}

enum Base64 {
    private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let chunk = bytes[start..<min(start + 3, bytes.count)]
            let value = chunk.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - chunk.count))
            for position in 0..<4 {
                let isFilled = position <= chunk.count
                result.append(isFilled ? letters[Int(value >> UInt32(18 - 6 * position) & 63)] : UInt8(ascii: "="))
            }
        }
        return result
    }
}
