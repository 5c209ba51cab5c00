import Foundation
import Logging
import Telemetry
import Testing

@Suite("A line of the log") struct LineLogHandlerTests {
    /// Each would, taken as it is, end a line, end a text, or be no JSON.
    private static let hostile = [
        "a \"quote\"", "back\\slash \\n", "two\nlines", "two\r\nlines", "\r\n\r\n", "alone\rreturn",
        "\u{1}control", "\u{1B}[2Kerased",
        "next\u{85}line", "separator\u{2028}line\u{2029}paragraph",
        "\u{B}tab\u{C}feed\u{0}nul\u{7F}",
        "emoji 🦆👩‍🍳", "e\u{301}", "",
    ]

    private static let forged = "seen\r\n2026-11-28T07:00:00.000Z ERROR    writer: all paid"

    private func handler(_ format: LineLogHandler.Format) -> LineLogHandler {
        var handler = LineLogHandler(label: "writer", format: format, level: .info)
        handler[metadataKey: "venue"] = "HBR"
        return handler
    }

    /// However lines are told apart: by characters, by scalars, by bytes.
    private func isOneLine(_ line: String) -> Bool {
        let ends: Set<UInt32> = [0x0A, 0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029]
        return !line.contains(where: \.isNewline) && !line.unicodeScalars.contains { ends.contains($0.value) }
    }

    @Test("JSON is one line that gives back what was said, whatever it was", arguments: hostile + [forged])
    func json(text: String) throws {
        let line = handler(.json).line(.warning, text, ["note": "\(text)", "\(text)!": "key"], time: "T")
        #expect(isOneLine(line))
        let read = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String])
        #expect(read["message"].map { Array($0.utf8) } == Array(text.utf8))
        #expect(read["note"].map { Array($0.utf8) } == Array(text.utf8))
        #expect(read["\(text)!"] == "key")
        #expect(read["time"] == "T" && read["level"] == "warning" && read["worker"] == "writer")
        #expect(read["venue"] == "HBR")
    }

    @Test("text is one line, whatever was said", arguments: hostile + [forged])
    func text(text: String) {
        let line = handler(.text).line(.warning, text, ["note": "\(text)", "\(text)!": "key"], time: "T")
        #expect(isOneLine(line))
        #expect(!line.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F })
        #expect(line.hasPrefix("T WARNING  writer: "))
        #expect(line.contains("venue=HBR"))
    }

    @Test("what hurts nobody stays as it is, and a forged record is seen for what it is")
    func readable() {
        let handler = handler(.text)
        #expect(handler.line(.info, "12 orders 🦆", ["site": "923"], time: "T")
            == "T INFO     writer: 12 orders 🦆 site=923 venue=HBR")
        #expect(handler.line(.info, "two\r\nlines\nthree", ["note": "a b", "path": "c:\\d"], time: "T")
            == "T INFO     writer: two ⏎ lines ⏎ three note=\"a b\" path=c:\\d venue=HBR")
        let forged = handler.line(.info, Self.forged, [:], time: "T")
        #expect(forged == "T INFO     writer: seen ⏎ 2026-11-28T07:00:00.000Z ERROR    writer: all paid venue=HBR")
    }
}
