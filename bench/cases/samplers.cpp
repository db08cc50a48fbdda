// SPDX-License-Identifier: Apache-2.0
#include "buffer.hpp"
#include "cases/cases.hpp"
#include "cases/dense.hpp"
#include "peers/draws.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

namespace bench {
namespace {

constexpr int64_t kMany = int64_t{1} << 20, kUnique = 1024;
constexpr int kGroups = 8;

struct Draws {
  int32_t kind;
  int64_t classes;
  bool unique;
  bool quick;

  int64_t n() const { return unique ? kUnique : kMany; }
  const char* kernel() const {
    return kind == VMX_SAMPLER_UNIFORM ? "draw_uniform" : kind == VMX_SAMPLER_LOG_UNIFORM ? "draw_log_uniform" : "draw_weights";
  }
  std::string text() const { return std::to_string(n()) + "x" + std::to_string(classes) + (unique ? "/unique" : ""); }
};

// Weights fall as 1/(k+1), so that all ways of drawing but the uniform one have nearly the same law.
struct Work {
  Work(const Setting& setting, const Draws& d) : what(d), workspace(setting.context), ids(static_cast<size_t>(d.n())) {
    if (d.kind == VMX_SAMPLER_WEIGHTS) {
      weights.resize(static_cast<size_t>(d.classes));
      for (int64_t k = 0; k < d.classes; ++k) weights[static_cast<size_t>(k)] = 1.0f / static_cast<float>(k + 1);
    }
    vmx_sampler_options options = VMX_SAMPLER_OPTIONS_INIT;
    options.kind = d.kind;
    options.classes = d.classes;
    if (!weights.empty()) options.weights = {weights.data(), d.classes, 1, VMX_F32, 0};
    require(vmx_sampler_create(setting.context, &options, &sampler));
    // The first ids are most of the mass; groups of them by powers.
    double total = 0;
    for (int64_t k = 0; k < d.classes; ++k) {
      const double x = static_cast<double>(k);
      const double q = d.kind == VMX_SAMPLER_UNIFORM ? 1 : d.kind == VMX_SAMPLER_LOG_UNIFORM ? std::log1p(1 / (x + 1)) : 1 / (x + 1);
      mass[group(static_cast<int32_t>(k))] += q;
      total += q;
    }
    for (double& m : mass) m /= total;
  }
  ~Work() { vmx_sampler_destroy(sampler); }
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  int group(int32_t id) const {
    const double share = what.kind == VMX_SAMPLER_UNIFORM
                             ? static_cast<double>(id) / static_cast<double>(what.classes)
                             : std::log1p(static_cast<double>(id)) / std::log1p(static_cast<double>(what.classes));
    return std::min(kGroups - 1, static_cast<int>(share * kGroups));
  }

  // Distinct; or as often in each group of classes as chance allows.
  std::string check() const {
    for (const int32_t id : ids) {
      if (id < 0 || id >= what.classes) return "an id is out of range";
    }
    if (what.unique) {
      return std::set<int32_t>(ids.begin(), ids.end()).size() == ids.size() ? "" : "an id was drawn twice";
    }
    int64_t counts[kGroups] = {};
    for (const int32_t id : ids) ++counts[group(id)];
    for (int g = 0; g < kGroups; ++g) {
      const double n = static_cast<double>(ids.size()), expected = n * mass[g];
      if (std::abs(static_cast<double>(counts[g]) - expected) <= 6 * std::sqrt(expected + 1)) continue;
      char text[96];
      std::snprintf(text, sizeof text, "group %d of classes was drawn %lld times instead of %.0f", g,
                    static_cast<long long>(counts[g]), expected);
      return text;
    }
    return "";
  }

  Draws what;
  Workspace workspace;
  std::vector<int32_t> ids;
  std::vector<float> weights;
  vmx_sampler* sampler = nullptr;
  double mass[kGroups] = {};
  draws::Generator random{1};
  int64_t step = 0;
};

Prepared prepare(const Setting& setting, const Draws& what) {
  const auto w = std::make_shared<Work>(setting, what);
  Prepared prepared;
  prepared.elements = static_cast<double>(what.n());
  prepared.bytes = prepared.elements * (what.kind == VMX_SAMPLER_WEIGHTS ? 12 : 4);
  const auto log_q = std::make_shared<std::vector<float>>(what.unique ? kUnique : 0);
  const auto check = [w] { return w->check(); };
  prepared.contenders.push_back(contender(
      Role::ours, "",
      [w, log_q, context = setting.context] {
        const int64_t n = w->what.n();
        const vmx_matrix ids = matrix(w->ids.data(), 1, n, VMX_I32);
        const vmx_matrix counts = matrix(log_q->data(), 1, n, VMX_F32);
        vmx_draw_options options = VMX_DRAW_OPTIONS_INIT;
        options.step = w->step++;
        if (w->what.unique) options.flags = VMX_DRAW_UNIQUE | VMX_DRAW_COUNTS;
        require(vmx_sampler_draw(context, w->workspace.get(), w->sampler, nullptr, &ids, w->what.unique ? &counts : nullptr,
                                 nullptr, nullptr, &options));
      },
      check));
  const auto add = [&](const char* name, std::function<void()> run) {
    prepared.contenders.push_back(contender(Role::peer, name, std::move(run), check));
  };
  const int64_t n = what.n(), classes = what.classes;
  if (what.kind == VMX_SAMPLER_UNIFORM) {
    add("std::uniform_int_distribution", [w, n, classes] { draws::uniform(w->random, classes, n, w->ids.data()); });
  } else if (what.kind == VMX_SAMPLER_LOG_UNIFORM) {
    if (what.unique) {
      add("std::exp + unordered_set", [w, n, classes] { draws::unique_log_uniform(w->random, classes, n, w->ids.data()); });
    } else {
      add("std::exp", [w, n, classes] { draws::log_uniform(w->random, classes, n, w->ids.data()); });
    }
  } else {
    const auto alias = std::make_shared<draws::Alias>(w->weights);
    if (what.unique) {
      add("alias + unordered_set", [w, n, alias] { draws::unique_alias(w->random, *alias, n, w->ids.data()); });
    } else {
      add("alias", [w, n, alias] { alias->draw(w->random, n, w->ids.data()); });
    }
    if (!what.unique && classes <= 1 << 24) {
      const auto discrete = std::make_shared<draws::Discrete>(w->weights);
      add("std::discrete_distribution", [w, n, discrete] { discrete->draw(w->random, n, w->ids.data()); });
    }
    if (!what.unique) {
      const auto table = std::make_shared<Buffer>(static_cast<size_t>(classes) * sizeof(uint64_t));
      std::fill_n(table->as<uint64_t>(), classes, 1);
      const auto index = std::make_shared<std::vector<int32_t>>(static_cast<size_t>(n));
      draws::uniform(w->random, classes, n, index->data());
      const auto sum = std::make_shared<uint64_t>(0);
      prepared.contenders.push_back(contender(
          Role::limit, "random reads",
          [table, index, sum, n] { *sum = draws::random_reads(table->as<uint64_t>(), index->data(), n); },
          [sum, n] { return *sum == static_cast<uint64_t>(n) ? "" : "the sum is wrong"; }));
    }
  }
  return prepared;
}

}  // namespace

void add_samplers(std::vector<Case>& cases) {
  for (const int64_t classes : {int64_t{1000000}, int64_t{100000000}}) {
    const bool small = classes == 1000000;
    for (const int32_t kind : {VMX_SAMPLER_UNIFORM, VMX_SAMPLER_LOG_UNIFORM, VMX_SAMPLER_WEIGHTS}) {
      for (const bool unique : {false, true}) {
        if (unique && (kind == VMX_SAMPLER_UNIFORM || !small)) continue;
        const Draws what = {kind, classes, unique, small};
        cases.push_back({what.kernel(), what.text(), "i32", what.quick, small ? 2.0 : kind == VMX_SAMPLER_WEIGHTS ? 30.0 : 4.0,
                         [what](const Setting& setting) { return prepare(setting, what); }});
      }
    }
  }
}

}  // namespace bench
