import JSON

/// The records that do not change: companies, venues, tills, staff, taxes, ways to pay, products; and the takings.
enum KountaRecords {
    /// Created long ago: 2013-05-08T13:56:02+10:00.
    private static let created: Int64 = 1_367_985_362

    private static func object(_ members: (inout JSONWriter) -> Void) -> [UInt8] { Answer.json(members) }

    private static func times(_ writer: inout JSONWriter) {
        for name in ["created_at", "updated_at"] as [StaticString] {
            writer.key(name)
            writer.time(created)
        }
    }

    private static func address(_ writer: inout JSONWriter) {
        writer.key("shipping_address")
        writer.null()
        writer.key("postal_address")
        writer.object { writer in
            writer.field("id", 198_109)
            writer.key("lines")
            writer.array { $0.string("44 Harbour Street") }
            writer.field("city", "Sydney")
            writer.field("zone", "NSW")
            writer.field("postal_code", "2000")
            writer.field("country", "AU")
        }
    }

    private static func contact(_ name: StaticString, _ writer: inout JSONWriter) {
        writer.key(name)
        writer.object { writer in
            writer.field("id", 92_402)
            writer.field("first_name", "Ricky")
            writer.field("last_name", "McDonald")
            writer.field("email", "ricky@example.com")
        }
    }

    static func company(_ company: SimulatedCompany) -> [UInt8] {
        object { writer in
            writer.field("id", company.id)
            writer.field("name", company.name)
            address(&writer)
            writer.field("business_number", company.businessNumber)
            contact("contact_staff_member", &writer)
            writer.field("currency", "AUD")
            writer.key("timezone")
            writer.object { writer in
                writer.field("offset", "+10:00")
                writer.field("name", SydneyClock.name)
            }
            writer.key("sites")
            writer.object { $0.field("count", company.sites.count) }
            writer.key("registers")
            writer.object { $0.field("count", company.sites.reduce(0) { $0 + $1.registers.count }) }
            times(&writer)
        }
    }

    static func siteRow(_ site: SimulatedSite, of company: SimulatedCompany) -> [UInt8] {
        object { writer in
            writer.field("company_id", company.id)
            writer.field("id", site.id)
            writer.field("name", site.name)
            writer.field("code", site.code)
        }
    }

    static func site(_ site: SimulatedSite) -> [UInt8] {
        object { writer in
            writer.field("id", site.id)
            writer.field("name", site.name)
            writer.field("code", site.code)
            contact("contact_person", &writer)
            writer.field("business_number", "12 345 678 910")
            address(&writer)
            writer.field("email", "\(site.code.lowercased())@example.com")
            writer.field("phone", "")
            writer.key("location")
            writer.object { writer in
                writer.field("latitude", number: "-33.8568")
                writer.field("longitude", number: "151.2153")
            }
            writer.field("register_level_reconciliation", false)
            times(&writer)
        }
    }

    static func register(_ register: SimulatedRegister, at site: SimulatedSite) -> [UInt8] {
        object { writer in
            writer.field("id", register.id)
            writer.field("code", register.code)
            writer.field("name", register.name)
            writer.field("site_id", site.id)
            writer.field("sale_prefix", "S")
            writer.field("return_prefix", "R")
        }
    }

    static func staff() -> [(id: Int64, body: [UInt8])] {
        [(389_427, "Jamie", "McDonald", false), (92_402, "Ricky", "McDonald", true)].map { id, first, last, isAdmin in
            (Int64(id), object { writer in
                writer.field("id", id)
                writer.field("first_name", first)
                writer.field("last_name", last)
                writer.field("is_admin", isAdmin)
                writer.field("primary_email_address", "\(first.lowercased())@example.com")
                writer.key("permissions")
                writer.array { writer in
                    writer.object { writer in
                        writer.field("code", "FinishSale")
                        writer.field("name", "Finish Sale")
                        writer.field("domain", "Point of Sale")
                    }
                }
                times(&writer)
            })
        }
    }

    static func taxes(of company: SimulatedCompany) -> [(id: Int64, body: [UInt8])] {
        [(Taxes.gstID, "GST", "Goods & Services Tax", "0.1"), (Taxes.freeID, "FRE", "GST Free", "0")].map { tax in
            (tax.0, object { writer in
                writer.field("company_id", company.id)
                writer.field("id", tax.0)
                writer.field("code", tax.1)
                writer.field("name", tax.2)
                writer.field("rate", number: tax.3)
            })
        }
    }

    static func paymentMethods() -> [(id: Int64, body: [UInt8])] {
        Tender.all.map { tender in
            (tender.id, object { writer in
                writer.field("id", tender.id)
                writer.field("name", tender.name)
                writer.field("ledger_code", tender.ledgerCode)
            })
        }
    }

    private static func categoryNames(_ items: [MenuItem]) -> [String] {
        items.reduce(into: []) { names, item in
            if !names.contains(item.category) { names.append(item.category) }
        }
    }

    static func categories(_ items: [MenuItem]) -> [(id: Int64, body: [UInt8])] {
        categoryNames(items).enumerated().map { index, name in
            (Int64(600 + index), object { writer in
                writer.field("id", 600 + index)
                writer.field("name", name)
            })
        }
    }

    static func product(_ item: MenuItem, of company: SimulatedCompany) -> [UInt8] {
        object { writer in
            writer.field("id", item.id)
            writer.field("company_id", company.id)
            writer.field("name", item.name)
            writer.field("code", "SKU\(item.id)")
            writer.field("description", "")
            writer.field("barcode", "93\(10_000_000_000 + item.id)")
            writer.key("tags")
            writer.array { _ in }
            writer.field("unit_price", cents: item.priceCents)
            writer.field("cost_price", cents: item.priceCents / 3)
            writer.key("taxes")
            writer.array { writer in
                guard !item.isGSTFree else { return }
                writer.object { writer in
                    writer.field("id", Taxes.gstID)
                    writer.field("code", "GST")
                    writer.field("name", "Goods & Services Tax")
                    writer.field("rate", number: "0.1")
                }
            }
            writer.key("categories")
            writer.array { writer in writer.object { $0.field("name", item.category) } }
        }
    }

    static func id(of day: TradeBook.TradingDay) -> Int64 { day.day * 10_000 + day.site }

    static func takings(
        _ takings: TradeBook.Takings, of day: TradeBook.TradingDay, at site: SimulatedSite?, isProcessed: Bool
    ) -> [UInt8] {
        object { writer in
            writer.field("id", id(of: day))
            writer.field("number", day.day - 15_000)
            writer.field("processed", isProcessed)
            writer.field("reconciliation_level", "site")
            writer.key("site")
            writer.object { writer in
                writer.field("id", day.site)
                writer.field("name", site?.name ?? "")
                writer.field("code", site?.code ?? "")
            }
            writer.key("income_accounts")
            writer.array { writer in
                writer.object { writer in
                    writer.field("ledger_code", "200")
                    writer.key("amounts")
                    writer.array { writer in
                        writer.object { writer in
                            writer.field("tax_id", Taxes.gstID)
                            writer.field("net", cents: takings.total - takings.tax)
                            writer.field("tax", cents: takings.tax)
                        }
                    }
                }
            }
            writer.key("reconciliations")
            writer.array { writer in
                let methods = Set(takings.byMethod.keys).union(takings.differences.keys)
                for method in methods.sorted() {
                    let recorded = takings.byMethod[method] ?? 0
                    let counted = recorded + (takings.differences[method] ?? 0)
                    writer.object { writer in writeTender(method, recorded: recorded, counted: counted, &writer) }
                }
            }
            writer.key("created_at")
            writer.time(SydneyClock.instant(of: CivilTime(secondsSinceEpoch: (day.day + 1) * 86_400 + 3_600)))
        }
    }

    private static func writeTender(
        _ method: Int64, recorded: Int64, counted: Int64, _ writer: inout JSONWriter
    ) {
        writer.key("payment_method")
        writer.object { writer in
            writer.field("id", method)
            writer.field("name", Tender.name(method))
            writer.field("ledger_code", Tender.all.first { $0.id == method }?.ledgerCode ?? "")
        }
        writer.key("takings")
        writer.object { writer in
            writer.field("recorded", cents: recorded)
            writer.field("counted", cents: counted)
        }
        writer.key("adjustments")
        writer.object { writer in
            writer.field("cash_in", 0)
            writer.field("cash_out", 0)
        }
    }
}
