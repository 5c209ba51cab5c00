@testable import HTTP
import Testing

@Suite struct RequestTests {
    @Test("a name or a value that could start a second header is refused", arguments: [
        ("X-One\r\nX-Two", "v"), ("X-One", "v\r\nX-Two: w"), ("X-One", "v\nX-Two: w"), ("X-One", "v\rw"),
        ("X-One", "v\0w"), ("X\0", "v"), ("X:One", "v"), ("X One", "v"), ("", "v"), ("Content-Length", "3"),
        ("transfer-encoding", "chunked"),
    ])
    func injection(name: String, value: String) {
        let refusal = HTTPRequest(method: .get, url: "http://h/", headers: [(name, value)]).refusal()
        #expect(refusal?.code == .badRequest)
    }

    @Test("an ordinary request is not refused")
    func ordinary() {
        let request = HTTPRequest(
            method: .put, url: "http://h/é?a=b", headers: [("X-One", "a\tb é"), ("X-Empty", "")], body: [1])
        #expect(request.refusal() == nil)
    }

    @Test("a URL with a blank or a line break, and a body on a get, are refused")
    func malformed() {
        for url in ["", "http://h/a b", "http://h/\r\nX: y", "http://h/\0"] {
            #expect(HTTPRequest(method: .get, url: url).refusal()?.code == .badURL)
        }
        #expect(HTTPRequest(method: .get, url: "http://h/", body: [1]).refusal()?.code == .badRequest)
        #expect(HTTPRequest(method: .get, url: "http://h/", timeout: .zero).refusal()?.code == .badRequest)
    }

    @Test("an error's URL has no query, fragment or user information", arguments: [
        ("https://h/p?token=secret", "https://h/p"), ("https://h/p#secret", "https://h/p"),
        ("https://u:secret@h/p?x=y", "https://h/p"), ("https://u:se/cr/et@h:8/p", "https://h:8/p"),
        ("https://u:s@secret@h/p", "https://h/p"), ("u:secret@h/p", "h/p"), ("http://h/a\r\nb", "http://h/a__b"),
        ("http://h/p?mail=a@b", "http://h/p"),
    ])
    func scrubbed(url: String, shown: String) {
        #expect(withoutSecrets(url) == shown)
    }

    @Test("headers are found whatever their case, every value, in order")
    func headers() {
        let headers = HTTPHeaders([
            .init(name: "Set-Cookie", value: "a"), .init(name: "X", value: "1"), .init(name: "set-cookie", value: "b"),
        ])
        #expect(headers["SET-COOKIE"] == "a")
        #expect(headers.values("sEt-cOOkie") == ["a", "b"])
        #expect(headers["Y"] == nil)
    }

    @Test("a redirect leads on only within scheme, host and port", arguments: [
        ("/b", "http://h:80/b"), ("b?c=d", "http://h:80/x/b?c=d"), ("http://H/b", "http://H:80/b"),
        ("http://h:80/b", "http://h:80/b"), ("https://h/b", nil), ("http://h:81/b", nil), ("http://g/b", nil),
        ("//g/b", nil), ("http://h@g/b", nil), ("file:///etc/passwd", nil), ("/b\r\nX: y", nil),
    ] as [(String, String?)])
    func target(location: String, target: String?) {
        #expect(redirectTarget(from: "http://h/x/a", location: location) == target)
    }
}

@Suite struct ResponseCollectorTests {
    private func collect(_ lines: [String], into collector: inout ResponseCollector) -> Bool {
        lines.allSatisfy { line in
            Array((line + "\r\n").utf8).withUnsafeBytes { collector.takeHeaderLine($0) }
        }
    }

    @Test("an interim answer is forgotten, a folded line is joined, a trailer is ignored")
    func oddHeads() {
        var collector = ResponseCollector(bodyBytesMax: 10)
        #expect(collect(["HTTP/1.1 103 Early Hints", "Link: x", ""], into: &collector))
        #expect(!collector.hasAllHeaders)
        #expect(collect(["HTTP/1.1 200", "A:  one", "\t two ", "B:", "no colon", "", "A: trailer"], into: &collector))
        #expect(collector.hasAllHeaders)
        let response = collector.response()
        #expect(response.status == 200)
        #expect(response.httpVersion == .http1_1)
        #expect(response.headers.entries == [.init(name: "A", value: "one two"), .init(name: "B", value: "")])
    }

    @Test("headers are bounded in number and in size, folded lines included")
    func bounds() {
        var many = ResponseCollector(bodyBytesMax: 10)
        let lines = ["HTTP/2 200"] + (0..<300).map { "h\($0): v" }
        #expect(!collect(lines, into: &many))
        #expect(many.isTooLarge)
        var large = ResponseCollector(bodyBytesMax: 10)
        let fold = " " + String(repeating: "x", count: 1_000)
        #expect(!collect(["HTTP/2 200", "a: b"] + Array(repeating: fold, count: 70), into: &large))
        #expect(large.isTooLarge)
    }

    @Test("a body may be as large as its bound and not a byte larger")
    func bodyBound() {
        var collector = ResponseCollector(bodyBytesMax: 4)
        #expect([UInt8](repeating: 1, count: 4).withUnsafeBytes { collector.takeBody($0) })
        #expect(!collector.isTooLarge)
        #expect(![UInt8](repeating: 1, count: 1).withUnsafeBytes { collector.takeBody($0) })
        #expect(collector.isTooLarge)
        #expect(collector.body.count == 4)
    }
}
