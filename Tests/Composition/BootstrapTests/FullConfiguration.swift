/// Every key there is, each with a value that is not its default.
enum FullConfiguration {
    static let yaml = """
        organisations:
          - key: harbour
            name: "Harbour: #1 \\"Hospitality\\""
            tenant: 8be9f0a2-5c1d-4f0e-9a53-0f6b7d3c1a01
            currency: NZD
            timezone: Pacific/Auckland
            accounts:
              sales: "230"
              discounts: "231"
              surcharges: "232"
              tips: "825"
              rounding: "860"
              gift_card_liability: "833"
              variance: "834"
              deposits: "835"
              outside_tax_type: NONE
            taxes: {"0.15": OUTPUT2, "0": ZERORATEDOUTPUT}
            payment_methods: {Cash: "241", "Card: credit": "242"}
            fallback_clearing_account: "243"
            rounding_max: "0.07"
            payment_term_days: 14
            tracking_category: Venue
            tracking_from: {register: Till}
            branding_theme: dd8bf9e4-41f6-4b5c-8a2b-0f6b7d3c1a01
            combined_taxes: {"0.1+0.05": OUTPUTBOTH}
            other_taxes: {OUTPUT9: 0.2}
            levies: {"0.29": "826"}
            account_methods: ["House \\"account\\"", Later]
            leave_customers_unpaid: false
            other_currencies: [AUD]
            items: {sync: true, code: id, on_lines: true}
            unmapped_products: "299"
            posting:
              mode: daily_summary
              changes: [{from: 2026-12-01, mode: per_order}]
              cut_off: "05:30"
              close_on: takings
              takings_within: 36h
              group_by: [category, register]
              attach_orders: true
            tables:
              sales_by_category: {Coffee: "251", Wine: "252"}
            rules:
              - name: "odd: names # and {braces}"
                for: order
                when: {all: [{notes: {begins: "PO "}}, {not: {weekday: weekend}}]}
                set: {reference: "{notes | first 20}", due_days: 30}
              - name: sales by category
                set: {account: "{category | lookup sales_by_category}"}
            write_back:
              - for: customer
                set: {reference_id: "{contact_id}"}
            limits:
              calls_per_minute: 50
              calls_in_flight: 4
              calls_per_day: 900
              reserve_people: 3
              reserve_reads: 2
              reserve_posting: 7
        companies:
          - key: harbour
            kounta_company: "162"
            organisation: harbour
            start_from: 2026-07-01
            calls_per_minute: 33
            currency: NZD
            registers: {"11": "Front: bar", "12": Back}
            staff: {"21": Mary, "22": "J \\"R\\""}
            gift_card_products: ["901", "900"]
            deposit_products: ["910"]
            surcharge_products: ["920", "921"]
            venues:
              - site: "923"
                name: Harbour Bistro
                prefix: HBR
                tracking: Harbour Bistro
                contact_number: WALK-1
                contact_name: Passers-by
                trading_hours: "mon-fri 07:00-16:00, sat 08:00-14:00"
                accounts:
                  sales: "330"
                  discounts: "331"
                  surcharges: "332"
                  tips: "333"
                  rounding: "334"
                  gift_card_liability: "335"
                  variance: "336"
                  deposits: "337"
                  outside_tax_type: BASEXCLUDED
                payment_methods: {Cash: "341", Voucher: "342"}
                fallback_clearing_account: "343"
                payment_term_days: 0
                branding_theme: dd8bf9e4-41f6-4b5c-8a2b-0f6b7d3c1a02
                posting: {mode: per_order, cut_off: "03:15", attach_orders: false}
              - site: "985"
                name: Pier
                prefix: "01E5"
        polling:
          interval: 6s
          overlap: 5h
          rescan_interval: 2h
          rescan_window: 4d
          corrections_interval: 7m
          customers_max_age: 2h
          customers_wait_max: 3h
          concurrency: 3
          lease: 8s
        mapping:
          batch: 121
          linger: 11ms
          prefetch: 401
          record_bytes_max: 1000001
          basis: all
          close_delay: 121s
        writing:
          batch: 49
          linger: 201ms
          batches_in_flight: 3
          lease: 121s
          hand_max: 299s
          app_calls_per_minute: 9999
        desk:
          replays_per_second: 999
          probe_interval: 61s
        alerts:
          interval: 31s
          period: 61s
          escalate_after: 31m
          resolve_after: 11m
          give_up_after: 4d
          keep_resolved: 45d
          quiet_hours: "22:00-07:00"
          group_after: 16m
          group_count: 51
          group_age: 25h
          venue_silent: 61m
          day_late: 7h
          refresh_token_age: 41d
          budget_percent: 81
          handler_down: 6m
          queue_age: 16m
          digest_after: 6
          sync_silent: 62m
          reread_silent: 63m
          timezone: Australia/Sydney
          channels:
            - name: duty
              kind: email
              server: smtps://mail.example.com:465
              from: fleet@example.com
              to: duty@example.com, boss@example.com
            - name: chat
              kind: webhook
              escalations_only: true
        simulation:
          limits_multiple: 25
        """

    static let environment = [
        "TILLBRIDGE_XERO_HARBOUR_CLIENT_ID": "xero-id", "TILLBRIDGE_XERO_HARBOUR_CLIENT_SECRET": "hush-xero",
        "TILLBRIDGE_KOUNTA_HARBOUR_CLIENT_ID": "till-id", "TILLBRIDGE_KOUNTA_HARBOUR_CLIENT_SECRET": "hush-till",
        "TILLBRIDGE_ALERT_DUTY_USER": "duty", "TILLBRIDGE_ALERT_DUTY_PASSWORD": "hush-duty",
        "TILLBRIDGE_ALERT_CHAT_URL": "https://chat.example.com/hush-chat",
        "TILLBRIDGE_ALERT_CHAT_SIGNING_KEY": "hush-signing-key",
    ]
}
