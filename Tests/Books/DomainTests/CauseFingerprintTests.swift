import Domain
import Testing

@Suite("The fingerprint of a cause") struct CauseFingerprintTests {
    @Test(
        "letters of one cause have one fingerprint, whatever their order, amount or day",
        arguments: [
            (
                "Account 4010 is archived in Xero; it refused invoice HBR-60001.",
                "Account 4010 is archived in Xero; it refused invoice HBR-99812."
            ),
            (
                "Order 7000016118: no clearing account is set for payments by \"Voucher\".",
                "Order 7000016119: no clearing account is set for payments by \"Voucher\"."
            ),
            (
                "Order 12, line 3 (Flat White 12oz (large)): no tax type is set for a rate of 0.15.",
                "Order 13, line 11 (Pie): no tax type is set for a rate of 0.15."
            ),
            (
                "Order 5: the till took 12.30, but total and tips come to 13.20.",
                "Order 6: the till took 1.00, but total and tips come to 113.20."
            ),
            (
                "The day of invoice HBR-1, 2026-11-20, is locked in Xero.",
                "The day of invoice HBR-2, 2026-11-21, is locked in Xero."
            ),
        ])
    func same(first: String, second: String) {
        #expect(CauseFingerprint.of(first) == CauseFingerprint.of(second))
    }

    @Test(
        "what must be mended by another hand has another fingerprint",
        arguments: [
            ("Account 230 is archived in Xero.", "Account 231 is archived in Xero."),
            ("Account code '230' is not valid.", "Account code '231' is not valid."),
            ("no tax type is set for a rate of 0.15.", "no tax type is set for a rate of 0.1."),
            ("Order 1 is of site 923.", "Order 1 is of site 924."),
            ("payments by \"Voucher 10\".", "payments by \"Voucher 20\"."),
            ("the field `total` is missing", "the field `site_id` is missing"),
            ("tb-version is 9, and this fleet understands 1", "tb-version is 8, and this fleet understands 1"),
        ])
    func different(first: String, second: String) {
        #expect(CauseFingerprint.of(first) != CauseFingerprint.of(second))
    }

    @Test("what names the letter itself goes, inside quotes too")
    func own() {
        let first = CauseFingerprint.of("Invoice 'HBR-AB' is refused.", own: ["HBR-AB"])
        #expect(first == CauseFingerprint.of("Invoice 'HBR-CD' is refused.", own: ["HBR-CD"]))
        let account = CauseFingerprint.of("Account 230 is archived.")
        #expect(account == CauseFingerprint.of("Account 230 is archived.", own: ["230", "23", "0"]))
    }

    @Test("an apostrophe opens no quotation")
    func apostrophe() {
        #expect(CauseFingerprint.of("Xero's total is 5.00.") == CauseFingerprint.of("Xero's total is 6.00."))
    }

    @Test("whatever is thrown at it, it is bounded and ends")
    func hostile() {
        for text in ["", "(", "line 3 (", "'", String(repeating: "9 ", count: 100_000), "\u{0}\u{1F600}1\u{301}"] {
            #expect(CauseFingerprint.of(text).count <= CauseFingerprint.lengthMax)
        }
    }
}
