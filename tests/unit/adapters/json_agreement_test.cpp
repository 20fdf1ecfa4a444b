#include "json_agreement.hpp"

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "adapters/json_scanner.hpp"
#include "unit/adapters/payloads.hpp"

namespace signalbox {
namespace {

constexpr std::string_view kEveryToken =
    R"( {"":"","\u00e9\ud83d\ude00":"\"\\\/\b\f\n\r\t","n":[0,-0,1.5,-2e-7,1E+9,[],{}],)"
    R"("t":true,"f":false,"z":null,"x":NaN,"i":[Infinity,-Infinity],"o":{"a":{"b":[{}]}}} )";

constexpr std::array kOriginals{kLiveCandle, kHistoricalCandle, kFilteredSignal, kExecution,
                                kOrder,      kEveryToken};

constexpr std::array<std::string_view, 40> kPieces{"{",
                                                   "}",
                                                   "[",
                                                   "]",
                                                   ",",
                                                   ":",
                                                   "\"",
                                                   "\\",
                                                   " ",
                                                   "\n",
                                                   "\t",
                                                   "0",
                                                   "-",
                                                   ".",
                                                   "e",
                                                   "1e5",
                                                   "-0.5",
                                                   "01",
                                                   "true",
                                                   "false",
                                                   "null",
                                                   "NaN",
                                                   "Infinity",
                                                   "-Infinity",
                                                   "nan",
                                                   "\\u0041",
                                                   "\\ud83d",
                                                   "\\ude00",
                                                   "\\u12",
                                                   "\\x",
                                                   "\"a\":1",
                                                   "\"a\":\"b\",",
                                                   "{\"k\":[1,{}]}",
                                                   "[[]]",
                                                   "\xC3\xA9",
                                                   "\xE2\x82\xAC",
                                                   "\xFF",
                                                   "\x01",
                                                   "1e999",
                                                   "\x7F"};

/// The choices of one payload: whatever the standard library, a seed gives the same payload.
class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  std::string payload() {
    std::string text{kOriginals[below(kOriginals.size())]};
    for (std::size_t count = below(4); count > 0; --count) mutate(text);
    return text;
  }

 private:
  std::size_t below(std::size_t end) { return static_cast<std::size_t>(random_() % end); }

  void mutate(std::string& text) {
    const std::size_t at = below(text.size() + 1);
    const std::size_t length = below(8);
    switch (below(5)) {
      case 0:
        text.erase(at, length);
        break;
      case 1:
        text.insert(at, kPieces[below(kPieces.size())]);
        break;
      case 2:
        text.replace(at, length, kPieces[below(kPieces.size())]);
        break;
      case 3:
        text.insert(at, text.substr(below(text.size() + 1), length * 8));
        break;
      default:
        if (at < text.size()) text[at] = static_cast<char>(below(256));
        break;
    }
  }

  std::mt19937_64 random_;
};

TEST(JsonAgreement, TwentyThousandPayloadsAreJudgedAsByAnotherParser) {
  Mutator mutator{20'251'027};
  std::size_t accepted = 0;
  std::size_t refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string payload = mutator.payload();
    ASSERT_EQ(disagreement(payload), "") << payload;
    ++(scanner_verdict(payload) == "accepted" ? accepted : refused);
  }
  EXPECT_GT(accepted, 5'000U);
  EXPECT_GT(refused, 5'000U);
}

TEST(JsonAgreement, WhatMayDifferDoes) {
  using namespace std::string_view_literals;
  EXPECT_EQ(scanner_verdict(R"({"a":NaN,"b":[Infinity,-Infinity]})"), "accepted");
  EXPECT_EQ(scanner_verdict(R"({"a":1e999})"), "accepted");
  EXPECT_EQ(scanner_verdict("\xEF\xBB\xBF{}"), "not_json");
  EXPECT_EQ(scanner_verdict("{}\0rest"sv), "not_json");
  const std::string deep(JsonScanner::kDepthMax, '[');
  EXPECT_EQ(scanner_verdict("{\"a\":" + deep + std::string(deep.size(), ']') + "}"), "not_json");
}

}  // namespace
}  // namespace signalbox
