// SPDX-License-Identifier: Apache-2.0
#include "cases/cases.hpp"
#include "cases/dense.hpp"
#include "limits.hpp"
#include "peers/select.hpp"

#include <algorithm>
#include <cstdio>

namespace bench {
namespace {

enum class Order { random, ascending, equal, organ_pipe };

struct Selection {
  int64_t n, k;
  bool sorted;
  Order order;
  bool quick;

  std::string text() const {
    static const char* const names[] = {"", "/ascending", "/equal", "/organ_pipe"};
    return "1x" + std::to_string(n) + "/k:" + std::to_string(k) + (sorted ? "" : "/unsorted") +
           names[static_cast<int>(order)];
  }
};

struct Row {
  Row(const Setting& setting, const Selection& s)
      : what(s),
        workspace(setting.context),
        x(static_cast<size_t>(s.n) * sizeof(float)),
        values(static_cast<size_t>(s.k)),
        ids(static_cast<size_t>(s.k)) {
    float* const score = x.as<float>();
    fill_normal(score, s.n, VMX_F32, kScores);
    if (s.order == Order::ascending) std::sort(score, score + s.n);
    if (s.order == Order::equal) std::fill(score, score + s.n, 1.0f);
    if (s.order == Order::organ_pipe) {
      std::sort(score, score + s.n / 2);
      std::sort(score + s.n / 2, score + s.n, [](float a, float b) { return a > b; });
    }
    pairs.resize(static_cast<size_t>(s.n));
    select::nth_element(score, s.n, s.k, pairs, s.sorted);
    expected.assign(pairs.begin(), pairs.begin() + s.k);
    if (!s.sorted) sort_by_id(expected);
  }

  static void sort_by_id(std::vector<select::Entry>& entries) {
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  }

  std::string compare(std::vector<select::Entry> found) const {
    if (!what.sorted) sort_by_id(found);
    for (size_t i = 0; i < expected.size(); ++i) {
      if (found[i].value == expected[i].value && found[i].id == expected[i].id) continue;
      char text[160];
      std::snprintf(text, sizeof text, "entry %zu is %.9g of id %d, but should be %.9g of id %d", i,
                    static_cast<double>(found[i].value), found[i].id, static_cast<double>(expected[i].value), expected[i].id);
      return text;
    }
    return "";
  }

  Selection what;
  Workspace workspace;
  Buffer x;
  std::vector<float> values;
  std::vector<int32_t> ids;
  std::vector<select::Entry> pairs, expected;
};

Prepared prepare(const Setting& setting, const Selection& what) {
  const auto row = std::make_shared<Row>(setting, what);
  Prepared prepared;
  prepared.elements = static_cast<double>(what.n);
  prepared.bytes = prepared.elements * sizeof(float);

  vmx_topk_options options = VMX_TOPK_OPTIONS_INIT;
  options.flags = what.sorted ? 0 : VMX_TOPK_UNSORTED;
  prepared.contenders.push_back(contender(
      Role::ours, "",
      [row, options, context = setting.context, x = matrix(row->x.data(), 1, what.n, VMX_F32),
       values = matrix(row->values.data(), 1, what.k, VMX_F32), ids = matrix(row->ids.data(), 1, what.k, VMX_I32)] {
        require(vmx_topk(context, row->workspace.get(), &x, row->what.k, &values, &ids, nullptr, &options));
      },
      [row] {
        std::vector<select::Entry> found;
        for (size_t i = 0; i < row->values.size(); ++i) found.push_back({row->values[i], row->ids[i]});
        return row->compare(std::move(found));
      }));

  const auto check = [row] { return row->compare({row->pairs.begin(), row->pairs.begin() + row->what.k}); };
  const auto add = [&](const char* name, std::function<void()> run) {
    prepared.contenders.push_back(contender(Role::peer, name, std::move(run), check));
  };
  add(what.sorted ? "std::nth_element + sort" : "std::nth_element", [row] {
    select::nth_element(row->x.as<float>(), row->what.n, row->what.k, row->pairs, row->what.sorted);
  });
  // Beyond these they take seconds.
  if (what.sorted && what.k * what.n < int64_t{1} << 38) {
    add("std::partial_sort",
        [row] { select::partial_sort(row->x.as<float>(), row->what.n, row->what.k, row->pairs); });
  }
  if (what.k <= 1024) {
    const auto best = std::make_shared<std::vector<select::Entry>>();
    prepared.contenders.push_back(contender(
        Role::peer, "scalar heap", [row, best] { select::heap(row->x.as<float>(), row->what.n, row->what.k, *best); },
        [row, best] { return row->compare(*best); }));
  }
  limit_by_max_scan(prepared, setting, row->x.as<float>(), what.n);
  return prepared;
}

void add(std::vector<Case>& cases, const Selection& what) {
  cases.push_back({"topk", what.text(), "f32", what.quick, what.n > 1 << 23 ? 6.0 : 2.0,
                   [what](const Setting& setting) { return prepare(setting, what); }});
}

}  // namespace

void add_topk(std::vector<Case>& cases) {
  for (const int64_t n : {int64_t{32000}, int64_t{128256}, int64_t{1} << 20, int64_t{1} << 24, int64_t{1} << 26}) {
    for (const int64_t k : {1, 10, 50, 256, 1024}) {
      const bool quick = (n == 128256 && (k == 1 || k == 50 || k == 256)) || (n == 1 << 20 && k == 50);
      add(cases, {n, k, true, Order::random, quick});
    }
    add(cases, {n, n / 10, true, Order::random, false});
    add(cases, {n, n / 10, false, Order::random, n == 128256});
  }
  for (const int64_t n : {int64_t{128256}, int64_t{1} << 20}) {
    for (const Order order : {Order::ascending, Order::equal, Order::organ_pipe}) {
      for (const int64_t k : {50, 256}) {
        add(cases, {n, k, true, order, n == 128256 && k == 50 && order == Order::ascending});
      }
      add(cases, {n, n / 10, false, order, false});
    }
  }
}

}  // namespace bench
