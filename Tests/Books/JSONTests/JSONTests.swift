import JSON
import Testing

@Suite struct JSONTests {
    @Test("a number keeps the digits it came with")
    func numberText() throws {
        let value = try JSON(parsing: #"{"a":10.10,"b":-0.000,"c":1e3,"d":12345678901234567890.123456789}"#)
        #expect(value["a"]?.numberText == "10.10")
        #expect(value["b"]?.numberText == "-0.000")
        #expect(value["c"]?.numberText == "1e3")
        #expect(value["c"]?.integer == nil)
        #expect(value["d"]?.numberText == "12345678901234567890.123456789")
    }

    @Test("strings come out with their escapes undone, pairs of surrogates too")
    func strings() throws {
        let value = try JSON(parsing: #"["caff\u00e8 \ud83d\ude00\n\"x\"\\","plain","lone \ud800."]"#)
        #expect(value.elements.map(\.string) == ["caffè 😀\n\"x\"\\", "plain", "lone \u{FFFD}."])
    }

    @Test("members are found behind nested values, and null is absent")
    func members() throws {
        let value = try JSON(parsing: #" { "x" : {"id":1,"deep":[[],[{}]]}, "n":null, "id" : 2, "t":true } "#)
        #expect(value["id"]?.integer == 2)
        #expect(value["x"]?["id"]?.integer == 1)
        #expect(value["n"] == nil)
        #expect(value["t"]?.bool == true)
        #expect(value.members.map(\.key) == ["x", "n", "id", "t"])
        #expect(String(decoding: value["x"]!.raw, as: UTF8.self) == #"{"id":1,"deep":[[],[{}]]}"#)
    }

    @Test(
        "a broken text is refused with a reason",
        arguments: [
            "", "{", "[1,]", "{\"a\" 1}", "{\"a\":1,}", "[1 2]", "01", "1.", "-", "+1", "NaN", "\"\u{01}\"", "\"\\x\"",
            "\"\\u12g4\"", "tru", "[] []", "{1:2}", "\"open", "[\"a\":1]", ",",
        ])
    func broken(text: String) {
        #expect(throws: JSONError.self) { try JSON(parsing: text) }
    }

    @Test("a text that is too deep, too long or no UTF-8 is refused")
    func bounds() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: JSONError.self) { try JSON(parsing: deep) }
        #expect(throws: JSONError.self) { try JSON(parsing: "[1,2,3]", limits: JSONLimits(maxBytes: 3)) }
        #expect(throws: JSONError.self) { try JSON(parsing: [UInt8(ascii: "\""), 0xFF, UInt8(ascii: "\"")]) }
    }

    @Test("what the writer writes, the reader reads back")
    func roundTrip() throws {
        var writer = JSONWriter()
        writer.object { writer in
            writer.field("name", "a \"b\" \\ \n\u{02}é")
            writer.field("amount", number: "10.10")
            writer.key("list")
            writer.array { list in
                list.number(1)
                list.object { _ in }
                list.null()
                list.raw(Array("[true]".utf8))
            }
            writer.field("ok", false)
        }
        #expect(writer.text == #"{"name":"a \"b\" \\ \n\u0002é","amount":10.10,"list":[1,{},null,[true]],"ok":false}"#)
        let value = try JSON(parsing: writer.bytes)
        #expect(value["name"]?.string == "a \"b\" \\ \n\u{02}é")
        #expect(value["list"]?.elements.count == 4)
    }
}
