// SPDX-License-Identifier: Apache-2.0
//! Every case of tests/vectors/bindings.txt gives the bits that stand there, on each ISA.
#![cfg(feature = "half")]

use half::{bf16, f16};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use vastmax::*;

#[derive(Clone, Debug)]
enum Data {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
    F16(Vec<f16>),
    F64(Vec<f64>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U32(Vec<u32>),
    U8(Vec<u8>),
}

/// Runs $body with $v bound to the elements of a type that views may have.
macro_rules! with_elements {
    ($data:expr, $v:ident => $body:expr) => {
        match $data {
            Data::F32($v) => $body,
            Data::Bf16($v) => $body,
            Data::F16($v) => $body,
            Data::F64($v) => $body,
            Data::I32($v) => $body,
            Data::I64($v) => $body,
            Data::U32(_) | Data::U8(_) => panic!("no elements of a view"),
        }
    };
}

#[derive(Clone, Debug)]
struct Array {
    dims: Vec<usize>,
    data: Data,
}

impl Array {
    fn parse(dtype: &str, dims: &str, hex: &str) -> Self {
        let bytes: Vec<u8> = if hex == "-" {
            Vec::new()
        } else {
            (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
        };
        let dims: Vec<usize> = dims.split('x').map(|d| d.parse().unwrap()).collect();
        macro_rules! read {
            ($t:ty) => {
                bytes
                    .chunks_exact(std::mem::size_of::<$t>())
                    .map(|b| <$t>::from_le_bytes(b.try_into().unwrap()))
                    .collect()
            };
        }
        let data = match dtype {
            "f32" => Data::F32(read!(f32)),
            "bf16" => Data::Bf16(read!(bf16)),
            "f16" => Data::F16(read!(f16)),
            "f64" => Data::F64(read!(f64)),
            "i32" => Data::I32(read!(i32)),
            "i64" => Data::I64(read!(i64)),
            "u32" => Data::U32(read!(u32)),
            "u8" => Data::U8(bytes),
            _ => panic!("unknown dtype {dtype}"),
        };
        let array = Self { dims, data };
        assert_eq!(array.len(), array.dims.iter().product::<usize>());
        array
    }

    fn len(&self) -> usize {
        match &self.data {
            Data::U32(v) => v.len(),
            Data::U8(v) => v.len(),
            other => with_elements!(other, v => v.len()),
        }
    }

    /// Of the same shape, all zero.
    fn zeroed(&self) -> Self {
        let n = self.len();
        let data = match &self.data {
            Data::F32(_) => Data::F32(vec![0.0; n]),
            Data::Bf16(_) => Data::Bf16(vec![bf16::ZERO; n]),
            Data::F16(_) => Data::F16(vec![f16::ZERO; n]),
            Data::F64(_) => Data::F64(vec![0.0; n]),
            Data::I32(_) => Data::I32(vec![0; n]),
            Data::I64(_) => Data::I64(vec![0; n]),
            Data::U32(_) => Data::U32(vec![0; n]),
            Data::U8(_) => Data::U8(vec![0; n]),
        };
        Self { dims: self.dims.clone(), data }
    }

    fn bytes(&self) -> Vec<u8> {
        match &self.data {
            Data::U32(v) => v.iter().flat_map(|e| e.to_le_bytes()).collect(),
            Data::U8(v) => v.clone(),
            other => with_elements!(other, v => v.iter().flat_map(|e| e.to_le_bytes()).collect()),
        }
    }

    fn shape(&self) -> (usize, usize) {
        (self.dims[0], self.dims.get(1).copied().unwrap_or(1))
    }
    fn matrix(&self) -> MatrixRef<'_> {
        let (rows, cols) = self.shape();
        with_elements!(&self.data, v => MatrixRef::new(v, rows, cols).unwrap())
    }
    fn matrix_mut(&mut self) -> MatrixMut<'_> {
        let (rows, cols) = self.shape();
        with_elements!(&mut self.data, v => MatrixMut::new(v, rows, cols).unwrap())
    }
    fn vector(&self) -> VectorRef<'_> {
        with_elements!(&self.data, v => VectorRef::new(v))
    }
    fn vector_mut(&mut self) -> VectorMut<'_> {
        with_elements!(&mut self.data, v => VectorMut::new(v))
    }
    fn ids(&self) -> IdsRef<'_> {
        match &self.data {
            Data::I32(v) => v.into(),
            Data::I64(v) => v.into(),
            _ => panic!("not ids"),
        }
    }
    fn f32s(&self) -> &[f32] {
        match &self.data {
            Data::F32(v) => v,
            _ => panic!("not f32"),
        }
    }
    fn i64s(&self) -> &[i64] {
        match &self.data {
            Data::I64(v) => v,
            _ => panic!("not i64"),
        }
    }
    fn states(&self) -> Vec<LseState> {
        match &self.data {
            Data::U8(v) => v.chunks_exact(96).map(|b| LseState::from_bytes(b.try_into().unwrap())).collect(),
            _ => panic!("not states"),
        }
    }
    fn shorts(&self) -> Vec<LseShort> {
        match &self.data {
            Data::F64(v) => v.chunks_exact(2).map(|p| LseShort { max: p[0], sum: p[1] }).collect(),
            _ => panic!("not pairs"),
        }
    }
}

/// A case of the file, and what was asked of it.
struct Case {
    name: String,
    call: String,
    ins: BTreeMap<String, Array>,
    opts: BTreeMap<String, String>,
    outs: BTreeMap<String, Array>,
    used: RefCell<BTreeSet<String>>,
}

impl Case {
    fn note(&self, kind: &str, name: &str) {
        self.used.borrow_mut().insert(format!("{kind} {name}"));
    }
    fn input(&self, name: &str) -> Option<&Array> {
        self.note("in", name);
        self.ins.get(name)
    }
    fn get(&self, name: &str) -> &Array {
        self.input(name).unwrap_or_else(|| panic!("{} has no {name}", self.name))
    }
    /// Room for an output: zeros, or what goes in.
    fn out(&self, name: &str) -> Option<Array> {
        self.note("out", name);
        let shape = self.outs.get(name)?;
        Some(self.input(name).cloned().unwrap_or_else(|| shape.zeroed()))
    }
    fn opt<T: std::str::FromStr>(&self, name: &str) -> Option<T>
    where
        T::Err: std::fmt::Debug,
    {
        self.note("opt", name);
        self.opts.get(name).map(|text| text.parse().unwrap())
    }
    fn flag(&self, bit: u32) -> bool {
        self.opt::<u32>("flags").unwrap_or(0) & bit != 0
    }
    /// Every line of the case was used.
    fn check_used(&self) {
        let used = self.used.borrow();
        for (kind, names) in [
            ("in", self.ins.keys().collect::<Vec<_>>()),
            ("opt", self.opts.keys().collect()),
            ("out", self.outs.keys().collect()),
        ] {
            for name in names {
                assert!(
                    used.contains(&format!("{kind} {name}")),
                    "{}: {kind} {name} was not used",
                    self.name
                );
            }
        }
    }
    fn expect(&self, name: &str, found: &Array) {
        let expected = &self.outs[name];
        assert!(
            found.bytes() == expected.bytes(),
            "{}: {name} is\n{found:?}\nbut should be\n{expected:?}",
            self.name
        );
    }
    fn expect_f64(&self, name: &str, found: f64) {
        self.note("out", name);
        if self.outs.contains_key(name) {
            self.expect(name, &Array { dims: vec![1], data: Data::F64(vec![found]) });
        }
    }
    /// The flags' room, if they are wanted.
    fn flags(&self) -> Option<Vec<RowFlags>> {
        self.out("row_flags").map(|a| vec![RowFlags::NONE; a.len()])
    }
    fn expect_flags(&self, found: &Option<Vec<RowFlags>>) {
        if let Some(flags) = found {
            let bits = flags.iter().map(|f| f.0).collect();
            self.expect("row_flags", &Array { dims: vec![flags.len()], data: Data::U32(bits) });
        }
    }
    fn expect_all(&self, outputs: &[(&str, Option<Array>)]) {
        for (name, found) in outputs {
            if let Some(found) = found {
                self.expect(name, found);
            }
        }
    }
    fn lists(&self, name: &str) -> Option<Lists<'_>> {
        let ids = self.input(&format!("{name}.ids"))?;
        let mut lists = match self.input(&format!("{name}.indptr")) {
            Some(indptr) => Lists::csr(indptr.ids(), ids.ids()),
            None => Lists::one_each(ids.ids()),
        };
        if let Some(weights) = self.input(&format!("{name}.weights")) {
            lists = lists.weights(weights.vector());
        }
        Some(lists)
    }
}

fn cases() -> Vec<Case> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/vectors/bindings.txt");
    let text = std::fs::read_to_string(path).expect(path);
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[0] {
            "case" => cases.push(Case {
                name: words[1].to_string(),
                call: String::new(),
                ins: BTreeMap::new(),
                opts: BTreeMap::new(),
                outs: BTreeMap::new(),
                used: RefCell::default(),
            }),
            "end" => {}
            word => {
                let case = cases.last_mut().expect("a case comes first");
                let name = words[1].to_string();
                match word {
                    "call" => case.call = name,
                    "in" => drop(case.ins.insert(name, Array::parse(words[2], words[3], words[4]))),
                    "out" => drop(case.outs.insert(name, Array::parse(words[2], words[3], words[4]))),
                    "opt" => drop(case.opts.insert(name, words[2].to_string())),
                    _ => panic!("not understood: {line}"),
                }
            }
        }
    }
    cases
}

fn call_of<'a>(ctx: &'a Context, flags: &'a mut Option<Vec<RowFlags>>) -> Call<'a> {
    match flags {
        Some(flags) => ctx.call().row_flags(flags),
        None => ctx.call(),
    }
}

/// One element is for all rows.
macro_rules! set_temperature {
    ($case:expr, $options:expr) => {
        if let Some(t) = $case.input("temperature") {
            $options = if t.len() == 1 {
                $options.temperature(t.f32s()[0])
            } else {
                $options.temperatures(t.f32s())
            };
        }
    };
}

fn softmax_options(c: &Case) -> SoftmaxOptions<'_> {
    let mut options = SoftmaxOptions::new();
    set_temperature!(c, options);
    if c.flag(sys::VMX_PRECISE) {
        options = options.precise();
    }
    if c.flag(sys::VMX_ZERO_MASKED) {
        options = options.zero_masked();
    }
    options
}

fn softmax(c: &Case, ctx: &Context) -> Result<()> {
    let options = softmax_options(c);
    let (mut flags, mut lse, mut y) = (c.flags(), c.out("lse"), c.out("y"));
    let x = c.get("x").matrix();
    let mut call = call_of(ctx, &mut flags);
    match c.call.as_str() {
        "logsumexp" => call.logsumexp(x, lse.as_mut().unwrap().vector_mut(), &options)?,
        "softmax" => {
            call.softmax(x, y.as_mut().unwrap().matrix_mut(), lse.as_mut().map(Array::vector_mut), &options)?
        }
        _ => call.log_softmax(
            x,
            y.as_mut().unwrap().matrix_mut(),
            lse.as_mut().map(Array::vector_mut),
            &options,
        )?,
    }
    c.expect_flags(&flags);
    // In place too, where the dtypes agree.
    if y.as_ref().is_some_and(|y| y.matrix().dtype() == x.dtype()) {
        let mut both = c.get("x").clone();
        match c.call.as_str() {
            "softmax" => ctx.call().softmax_in_place(both.matrix_mut(), None, &options)?,
            _ => ctx.call().log_softmax_in_place(both.matrix_mut(), None, &options)?,
        }
        c.expect("y", &both);
    }
    c.expect_all(&[("lse", lse), ("y", y)]);
    Ok(())
}

fn backward(c: &Case, ctx: &Context) -> Result<()> {
    let options = softmax_options(c);
    let mut grad = c.out("grad_x").unwrap();
    let mut call = ctx.call();
    if c.call == "logsumexp_backward" {
        let (x, grad_lse) = (c.get("x"), c.get("grad_lse").vector());
        let lse = c.input("lse").map(Array::vector);
        call.logsumexp_backward(x.matrix(), lse, grad_lse, grad.matrix_mut(), &options)?;
        let mut both = x.clone();
        call.logsumexp_backward_in_place(both.matrix_mut(), lse, grad_lse, &options)?;
        c.expect("grad_x", &both);
    } else {
        let (y, grad_y) = (c.get("y").matrix(), c.get("grad_y"));
        let mut both = grad_y.clone();
        if c.call == "softmax_backward" {
            call.softmax_backward(y, grad_y.matrix(), grad.matrix_mut(), &options)?;
            call.softmax_backward_in_place(y, both.matrix_mut(), &options)?;
        } else {
            call.log_softmax_backward(y, grad_y.matrix(), grad.matrix_mut(), &options)?;
            call.log_softmax_backward_in_place(y, both.matrix_mut(), &options)?;
        }
        c.expect("grad_x", &both);
    }
    c.expect("grad_x", &grad);
    Ok(())
}

fn states(c: &Case, ctx: &Context) -> Result<()> {
    let mut options = LseOptions::new();
    set_temperature!(c, options);
    if c.flag(sys::VMX_FOLD_SUMS) {
        options = options.sums();
    }
    if c.flag(sys::VMX_FOLD_ENTROPY) {
        options = options.entropy();
    }
    let expect_states = |name: &str, states: &[LseState]| {
        let bytes = states.iter().flat_map(LseState::to_bytes).collect();
        c.expect(name, &Array { dims: vec![states.len(), 96], data: Data::U8(bytes) });
    };
    let expect_shorts = |name: &str, shorts: &[LseShort]| {
        let pairs = shorts.iter().flat_map(|s| [s.max, s.sum]).collect();
        c.expect(name, &Array { dims: vec![shorts.len(), 2], data: Data::F64(pairs) });
    };
    match c.call.as_str() {
        "lse_fold" => {
            if let Some(weights) = c.input("class_weight") {
                options = options.class_weight(weights.vector());
            }
            if let Some(skip) = c.input("skip") {
                options = options.skip(skip.ids());
            }
            let mut states = c.out("states").unwrap().states();
            ctx.call().lse_fold(c.get("x").matrix(), c.opt("col_offset").unwrap(), &mut states, &options)?;
            expect_states("states", &states);
        }
        "lse_merge" => {
            let mut into = c.out("into").unwrap().states();
            lse_merge(&mut into, &c.get("from").states())?;
            expect_states("into", &into);
        }
        "lse_finish" => {
            let (mut lse, mut entropy, mut flags) = (c.out("lse"), c.out("entropy"), c.flags());
            let states = c.get("states").states();
            let (l, e) = (lse.as_mut().map(Array::vector_mut), entropy.as_mut().map(Array::vector_mut));
            lse_finish(&states, &options, l, e, flags.as_deref_mut())?;
            c.expect_flags(&flags);
            c.expect_all(&[("lse", lse), ("entropy", entropy)]);
        }
        "lse_shorten" => {
            let states = c.get("states").states();
            let mut out = vec![LseShort::default(); states.len()];
            c.note("out", "out");
            lse_shorten(&states, &options, &mut out)?;
            expect_shorts("out", &out);
        }
        "lse_short_merge" => {
            let mut into = c.out("into").unwrap().shorts();
            lse_short_merge(&mut into, &c.get("from").shorts())?;
            expect_shorts("into", &into);
        }
        _ => {
            let mut lse = c.out("lse").unwrap();
            lse_short_finish(&c.get("states").shorts(), lse.vector_mut())?;
            c.expect("lse", &lse);
        }
    }
    Ok(())
}

fn reduction(c: &Case) -> Reduction {
    match c.opt::<i32>("reduction").unwrap_or(0) {
        sys::VMX_REDUCE_NONE => Reduction::None,
        sys::VMX_REDUCE_SUM => Reduction::Sum,
        sys::VMX_REDUCE_MEAN => Reduction::Mean,
        other => panic!("reduction {other}"),
    }
}

fn loss_options(c: &Case) -> CrossEntropyOptions<'_> {
    let mut options = CrossEntropyOptions::new().reduction(reduction(c));
    set_temperature!(c, options);
    if let Some(eps) = c.opt("label_smoothing") {
        options = options.label_smoothing(eps);
    }
    if let Some(cap) = c.opt("softcap") {
        options = options.softcap(cap);
    }
    if let Some(zeta) = c.opt("z_loss") {
        options = options.z_loss(zeta);
    }
    if c.flag(sys::VMX_SMOOTH_UNMASKED) {
        options = options.smooth_unmasked();
    }
    if let Some(weights) = c.input("class_weight") {
        options = options.class_weight(weights.vector());
    }
    options
}

fn cross_entropy(c: &Case, ctx: &Context) -> Result<()> {
    let options = loss_options(c);
    let targets = c.lists("targets").unwrap();
    if c.call == "cross_entropy_backward" {
        let mut grad = c.out("grad").unwrap();
        let (x, lse, grad_loss) =
            (c.get("x"), c.input("lse").map(Array::vector), c.get("grad_loss").vector());
        ctx.call().cross_entropy_backward(
            x.matrix(),
            targets,
            lse,
            grad_loss,
            grad.matrix_mut(),
            &options,
        )?;
        c.expect("grad", &grad);
        let mut both = x.clone();
        ctx.call().cross_entropy_backward_in_place(both.matrix_mut(), targets, lse, grad_loss, &options)?;
        c.expect("grad", &both);
        return Ok(());
    }
    let (mut flags, mut loss, mut z_loss, mut lse, mut grad) =
        (c.flags(), c.out("loss"), c.out("z_loss"), c.out("lse"), c.out("grad"));
    let wants_grad = grad.is_some();
    let mut out = CrossEntropyOut::new();
    if let Some(loss) = &mut loss {
        out = out.loss(loss.vector_mut());
    }
    if let Some(z_loss) = &mut z_loss {
        out = out.z_loss(z_loss.vector_mut());
    }
    if let Some(lse) = &mut lse {
        out = out.lse(lse.vector_mut());
    }
    if let Some(grad) = &mut grad {
        out = out.grad(grad.matrix_mut());
    }
    let scale = c.opt("grad_scale").unwrap_or(1.0);
    out = out.grad_scale(scale);
    let totals = if c.call == "cross_entropy" {
        call_of(ctx, &mut flags).cross_entropy(c.get("x").matrix(), targets, out, &options)?
    } else {
        let linear = linear(c);
        call_of(ctx, &mut flags).linear_cross_entropy(
            c.get("hidden").matrix(),
            &linear,
            targets,
            out,
            None,
            &options,
        )?
    };
    c.expect_f64("total", totals.total);
    c.expect_f64("total_z_loss", totals.total_z_loss);
    c.expect_f64("total_weight", totals.total_weight);
    c.expect_flags(&flags);
    c.expect_all(&[("loss", loss), ("z_loss", z_loss), ("lse", lse), ("grad", grad)]);
    if wants_grad && c.call == "cross_entropy" {
        let mut both = c.get("x").clone();
        let out = CrossEntropyOut::new().grad_scale(scale);
        ctx.call().cross_entropy_in_place(both.matrix_mut(), targets, out, &options)?;
        c.expect("grad", &both);
    }
    Ok(())
}

fn linear(c: &Case) -> Linear<'_> {
    let mut linear = Linear::new(c.get("linear.weights").matrix());
    if let Some(bias) = c.input("linear.bias") {
        linear = linear.bias(bias.vector());
    }
    linear
}

fn topk(c: &Case, ctx: &Context) -> Result<()> {
    let mut options = TopkOptions::new();
    if c.flag(sys::VMX_TOPK_SMALLEST) {
        options = options.smallest();
    }
    if c.flag(sys::VMX_TOPK_UNSORTED) {
        options = options.unsorted();
    }
    if let Some(offset) = c.opt("col_offset") {
        options = options.col_offset(offset);
    }
    if let Some(excluded) = c.lists("excluded") {
        options = options.excluded(excluded);
    }
    let k = c.opt("k").unwrap();
    let (mut flags, mut values, mut ids) = (c.flags(), c.out("values"), c.out("ids"));
    let (v, i) = (values.as_mut().map(Array::matrix_mut), ids.as_mut().map(Array::matrix_mut));
    let mut call = call_of(ctx, &mut flags);
    match c.call.as_str() {
        "topk" => call.topk(c.get("x").matrix(), k, v, i, &options)?,
        "topk_merge" => {
            call.topk_merge(c.get("values_in").matrix(), c.get("ids_in").matrix(), k, v, i, &options)?
        }
        _ => call.linear_topk(c.get("hidden").matrix(), &linear(c), k, v, i, &options)?,
    }
    c.expect_flags(&flags);
    c.expect_all(&[("values", values), ("ids", ids)]);
    Ok(())
}

fn linear_logsumexp(c: &Case, ctx: &Context) -> Result<()> {
    let mut flags = c.flags();
    let options = softmax_options(c);
    let hidden = c.get("hidden").matrix();
    let packed = PackedWeights::new(ctx, c.get("linear.weights").matrix())?;
    for linear in [linear(c), Linear::packed(&packed).bias(c.get("linear.bias").vector())] {
        let mut lse = c.out("lse").unwrap();
        call_of(ctx, &mut flags).linear_logsumexp(hidden, &linear, lse.vector_mut(), &options)?;
        c.expect_flags(&flags);
        c.expect("lse", &lse);
    }
    Ok(())
}

fn sampler<'c>(c: &'c Case, ctx: &Context) -> Result<Sampler<'c>> {
    let classes: usize = c.opt("sampler.classes").unwrap();
    let embeddings = || c.get("sampler.embeddings").matrix();
    let mut options = match c.opt::<i32>("sampler.kind").unwrap() {
        sys::VMX_SAMPLER_UNIFORM => SamplerOptions::uniform(classes),
        sys::VMX_SAMPLER_LOG_UNIFORM => SamplerOptions::log_uniform(classes),
        sys::VMX_SAMPLER_WEIGHTS => SamplerOptions::weights(c.get("sampler.weights").vector()),
        sys::VMX_SAMPLER_IN_BATCH => SamplerOptions::in_batch(classes),
        sys::VMX_SAMPLER_MIDX => SamplerOptions::midx(embeddings()),
        sys::VMX_SAMPLER_QUADRATIC => SamplerOptions::quadratic(embeddings()),
        sys::VMX_SAMPLER_EXACT => SamplerOptions::exact(embeddings()),
        other => panic!("sampler {other}"),
    };
    if let Some(power) = c.opt("sampler.power") {
        options = options.power(power);
    }
    if let Some(t) = c.opt("sampler.temperature") {
        options = options.temperature(t);
    }
    if let Some(alpha) = c.opt("sampler.alpha") {
        options = options.alpha(alpha);
    }
    if let Some(rate) = c.opt("sampler.rate") {
        options = options.rate(rate);
    }
    if let Some(seed) = c.opt("sampler.seed") {
        options = options.seed(seed);
    }
    if let Some(codewords) = c.opt("sampler.codewords") {
        options = options.codewords(codewords);
    }
    Sampler::borrowing(ctx, &options)
}

fn sampler_call(c: &Case, ctx: &Context) -> Result<()> {
    let mut sampler = sampler(c, ctx)?;
    let hidden = c.input("hidden").map(Array::matrix);
    if c.call == "sampler_draw" {
        let (mut flags, mut ids, mut log_q, mut tries) =
            (c.flags(), c.out("ids").unwrap(), c.out("log_q"), c.out("tries"));
        let mut options = DrawOptions::new().seed(c.opt("seed").unwrap()).step(c.opt("step").unwrap());
        if c.flag(sys::VMX_DRAW_UNIQUE) {
            options = options.unique();
        }
        if c.flag(sys::VMX_DRAW_COUNTS) {
            options = options.counts();
        }
        let mut draws = Draws::new(ids.matrix_mut());
        if let Some(log_q) = &mut log_q {
            draws = draws.log_q(log_q.matrix_mut());
        }
        if let Some(Array { data: Data::I64(tries), .. }) = &mut tries {
            draws = draws.tries(tries);
        }
        call_of(ctx, &mut flags).sampler_draw(&sampler, hidden, draws, &options)?;
        c.expect_flags(&flags);
        c.expect_all(&[("ids", Some(ids)), ("log_q", log_q), ("tries", tries)]);
        return Ok(());
    }
    let mut which = LogQ::Probability;
    if c.call == "sampler_observe" {
        let step: i64 = c.opt("step").unwrap();
        let seen = c.get("ids");
        for (i, ids) in seen.i64s().chunks(seen.shape().1).enumerate() {
            sampler.observe(ids, step + i as i64)?;
        }
    } else {
        let draws: i64 = c.opt("draws").unwrap();
        which = match c.input("tries") {
            Some(tries) => LogQ::Unique { draws, tries: tries.i64s() },
            None if draws == 0 => LogQ::Probability,
            None => LogQ::Expected(draws),
        };
    }
    let mut log_q = c.out("log_q").unwrap();
    ctx.call().sampler_log_q(&sampler, hidden, &c.lists("classes").unwrap(), which, log_q.vector_mut())?;
    c.expect("log_q", &log_q);
    Ok(())
}

fn sampled_options(c: &Case) -> SampledOptions {
    let mut options = SampledOptions::new().reduction(reduction(c));
    options = match c.opt::<i32>("loss").unwrap_or(sys::VMX_LOSS_SAMPLED_SOFTMAX) {
        sys::VMX_LOSS_SAMPLED_SOFTMAX => options.loss(SampledLoss::SampledSoftmax),
        sys::VMX_LOSS_NCE => options.loss(SampledLoss::Nce),
        sys::VMX_LOSS_NEG => options.loss(SampledLoss::Neg),
        sys::VMX_LOSS_BPR => options.loss(SampledLoss::Bpr),
        sys::VMX_LOSS_CCL => options.loss(SampledLoss::Ccl),
        other => panic!("loss {other}"),
    };
    options = match c.opt::<i32>("correction").unwrap_or(0) {
        sys::VMX_CORRECT_NONE => options.correction(Correction::None),
        sys::VMX_CORRECT_RANKING => options.correction(Correction::Ranking),
        sys::VMX_CORRECT_IS => options.correction(Correction::Is),
        sys::VMX_CORRECT_COUNTS => options.correction(Correction::Counts),
        other => panic!("correction {other}"),
    };
    if c.opt::<i32>("score") == Some(sys::VMX_SCORE_COSINE) {
        options = options.score(Score::Cosine);
    }
    if c.flag(sys::VMX_SAMPLED_KEEP_HITS) {
        options = options.keep_hits();
    }
    if c.flag(sys::VMX_SAMPLED_JOINT) {
        options = options.joint();
    }
    if let Some(t) = c.opt("temperature") {
        options = options.temperature(t);
    }
    if let Some(weight) = c.opt("negative_weight") {
        options = options.negative_weight(weight);
    }
    options
}

fn sampled_loss(c: &Case, ctx: &Context) -> Result<()> {
    let options = sampled_options(c);
    let (mut flags, mut loss) = (c.flags(), c.out("loss").unwrap());
    let mut table = Table::new(c.get("table").matrix());
    if let Some(bias) = c.input("bias") {
        table = table.bias(bias.vector());
    }
    let mut candidates = Candidates::new(c.get("candidates.ids").matrix());
    if let Some(log_q) = c.input("candidates.log_q") {
        candidates = candidates.log_q(log_q.matrix());
    }
    if let Some(log_q) = c.input("candidates.target_log_q") {
        candidates = candidates.target_log_q(log_q.vector());
    }
    let out = SampledOut::new().loss(loss.vector_mut()).grad_scale(c.opt("grad_scale").unwrap());
    let (mut hidden, mut dense, mut bias) =
        (c.out("grads.hidden").unwrap(), c.out("grads.table").unwrap(), c.out("grads.bias").unwrap());
    let (mut ids, mut rows, mut row_bias) = (
        c.out("grads.sparse.ids").unwrap(),
        c.out("grads.sparse.rows").unwrap(),
        c.out("grads.sparse.bias").unwrap(),
    );
    let (Data::I64(id_list), Data::F32(bias_list)) = (&mut ids.data, &mut row_bias.data) else {
        panic!("dtypes of the list");
    };
    let mut sparse = SparseRows::new(id_list, rows.matrix_mut())?.bias(bias_list)?;
    let grads = SampledGrads::new()
        .hidden(hidden.matrix_mut())
        .table(dense.matrix_mut())
        .bias(bias.vector_mut())
        .sparse(&mut sparse);
    let totals = call_of(ctx, &mut flags).sampled_loss(
        c.get("hidden").matrix(),
        &table,
        c.lists("targets").unwrap(),
        &candidates,
        out,
        Some(grads),
        &options,
    )?;
    let count = vec![sparse.count() as i64];
    c.expect_f64("total", totals.total);
    c.expect_f64("total_weight", totals.total_weight);
    c.expect_flags(&flags);
    c.note("out", "grads.sparse.count");
    c.expect("grads.sparse.count", &Array { dims: vec![1], data: Data::I64(count) });
    c.expect_all(&[
        ("loss", Some(loss)),
        ("grads.hidden", Some(hidden)),
        ("grads.table", Some(dense)),
        ("grads.bias", Some(bias)),
        ("grads.sparse.ids", Some(ids)),
        ("grads.sparse.rows", Some(rows)),
        ("grads.sparse.bias", Some(row_bias)),
    ]);
    Ok(())
}

fn in_batch(c: &Case, ctx: &Context) -> Result<()> {
    let options = sampled_options(c);
    let (mut flags, mut loss) = (c.flags(), c.out("loss").unwrap());
    let batch = InBatch::new(c.get("queries").matrix(), c.get("keys").matrix())
        .identity(c.get("identity").ids())
        .log_q(c.get("log_q").vector());
    let totals = call_of(ctx, &mut flags).in_batch_softmax(
        batch,
        SampledOut::new().loss(loss.vector_mut()),
        &options,
    )?;
    c.expect_f64("total", totals.total);
    c.expect_f64("total_weight", totals.total_weight);
    c.expect_flags(&flags);
    c.expect("loss", &loss);
    Ok(())
}

fn sparse_update(c: &Case, ctx: &Context) -> Result<()> {
    let optimizer = match c.opt::<i32>("optimizer").unwrap() {
        sys::VMX_SGD => Optimizer::Sgd,
        sys::VMX_ADAGRAD => Optimizer::Adagrad,
        sys::VMX_ADAM => Optimizer::Adam,
        other => panic!("optimizer {other}"),
    };
    let mut options =
        UpdateOptions::new(optimizer).lr(c.opt("lr").unwrap()).weight_decay(c.opt("weight_decay").unwrap());
    if let Some(step) = c.opt("step") {
        options = options.step(step);
    }
    let (mut ids, mut rows) = (c.get("grad.ids").i64s().to_vec(), c.get("grad.rows").clone());
    let grad = SparseRows::new(&mut ids, rows.matrix_mut())?.filled(c.opt("grad.count").unwrap())?;
    let (mut table, mut mean, mut square) = (c.out("table").unwrap(), c.out("mean"), c.out("square"));
    let moments = match (&mut mean, &mut square) {
        (Some(mean), Some(square)) => Moments::mean_and_square(mean.matrix_mut(), square.matrix_mut()),
        (None, Some(square)) => Moments::square(square.matrix_mut()),
        _ => Moments::none(),
    };
    ctx.call().sparse_update(&grad, table.matrix_mut(), moments, &options)?;
    c.expect_all(&[("table", Some(table)), ("mean", mean), ("square", square)]);
    Ok(())
}

fn run(c: &Case, ctx: &Context) -> Result<()> {
    match c.call.as_str() {
        "logsumexp" | "softmax" | "log_softmax" => softmax(c, ctx),
        "logsumexp_backward" | "softmax_backward" | "log_softmax_backward" => backward(c, ctx),
        call if call.starts_with("lse_") => states(c, ctx),
        "cross_entropy" | "cross_entropy_backward" | "linear_cross_entropy" => cross_entropy(c, ctx),
        "topk" | "topk_merge" | "linear_topk" => topk(c, ctx),
        "linear_logsumexp" => linear_logsumexp(c, ctx),
        "sampler_draw" | "sampler_log_q" | "sampler_observe" => sampler_call(c, ctx),
        "sampled_loss" => sampled_loss(c, ctx),
        "in_batch_softmax" => in_batch(c, ctx),
        "sparse_update" => sparse_update(c, ctx),
        other => panic!("no call {other}"),
    }
}

/// Whether a build without oneDNN cannot run it.
fn needs_products(c: &Case) -> bool {
    c.call.starts_with("linear_") || c.call == "in_batch_softmax"
}

#[test]
fn same_bits_as_in_the_file() {
    let cases = cases();
    assert!(cases.len() > 150, "only {} cases were read", cases.len());
    let calls: BTreeSet<&str> = cases.iter().map(|c| c.call.as_str()).collect();
    assert!(calls.len() >= 25, "only {calls:?}");
    for isa in Isa::all().filter(|isa| isa.is_usable()) {
        for threads in [1, 3] {
            let ctx = ContextOptions::new().isa(isa).threads(threads).create().unwrap();
            for case in &cases {
                match run(case, &ctx) {
                    Ok(()) => case.check_used(),
                    Err(Error::Unsupported(_)) if onednn_version().is_empty() && needs_products(case) => {}
                    Err(error) => panic!("{} on {isa}: {error}", case.name),
                }
            }
        }
    }
}
